import type {RoutePlan} from '../cluster/routing.ts'
import type {BalanceRequest} from './candidates.ts'
import type {Decision} from './dispatch-request.ts'

/** A decision in words that leave this process: only what a person or a program asks of it. */
export function routePlanOf(
  {model, promptTokens}: Pick<BalanceRequest, 'model' | 'promptTokens'>,
  {policy, ranked, excluded}: Pick<Decision, 'policy' | 'ranked' | 'excluded'>,
): RoutePlan {
  return {
    model,
    policy,
    promptTokens,
    candidates: ranked.map(({candidate, terms}) => ({
      node: candidate.node,
      residency: candidate.residency,
      inFlight: candidate.inFlight,
      waitMs: hundredths(terms.waitMs),
      loadMs: hundredths(terms.loadMs),
      promptMs: hundredths(terms.promptMs),
      answerMs: hundredths(terms.answerMs),
      networkMs: hundredths(terms.networkMs),
      riskMs: hundredths(terms.riskMs),
      harmMs: hundredths(terms.harmMs),
      totalMs: hundredths(terms.totalMs),
      guessed: terms.guessed,
    })),
    excluded: excluded.map(({node, reason, text}) => ({node, reason, text})),
  }
}

const hundredths = (ms: number) => Math.round(ms * 100) / 100
