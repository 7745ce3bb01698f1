import type {Ask} from '../../src/lib/cluster/ask.ts'

/** A person at a terminal who answers from a list and remembers what was asked. */
export function fakeAsk(answers: readonly (string | boolean)[]): Ask & {asked: string[]} {
  const rest = [...answers]
  const asked: string[] = []
  const next = (question: string) => {
    asked.push(question)
    const answer = rest.shift()
    if (answer === undefined) throw new Error(`nobody has an answer to: ${question}`)
    return answer
  }
  return {
    asked,
    interactive: true,
    secret: async (question) => String(next(question)),
    text: async (question) => String(next(question)),
    choose: async (question) => String(next(question)),
    confirm: async (question) => next(question) === true,
  }
}
