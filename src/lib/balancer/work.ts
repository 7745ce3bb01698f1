import type {BalanceRequest} from './candidates.ts'

/** Tokens of an answer, until some were seen. */
const ANSWER_TOKENS = 200
/** A prompt token costs about this share of an answer's token. */
const PROMPT_SHARE = 0.05

/** Tokens that the answer is expected to have; `usual`: of the model's answers, as far as that is known. */
export function expectedAnswer(
  {needs, maxAnswerTokens: most}: BalanceRequest,
  usual = ANSWER_TOKENS,
): number {
  if (needs === 'embedding') return 0
  return most !== undefined && most > 0 ? Math.min(usual, most) : usual
}

/** What was done, in answer tokens: of a model the time that it takes is about in proportion. */
export function workOf(promptTokens: number, answerTokens: number): number {
  return answerTokens + PROMPT_SHARE * promptTokens
}

/**
 * What is expected to be done for it, as a multiple of a usual answer: 1 for most, whether or not it is known how long
 * they are, so that shares hold from the first request on.
 */
export function expectedShare(request: BalanceRequest, usual = ANSWER_TOKENS): number {
  const tokens = Math.max(1, usual)
  return Math.max(0.01, workOf(request.promptTokens, expectedAnswer(request, tokens)) / tokens)
}
