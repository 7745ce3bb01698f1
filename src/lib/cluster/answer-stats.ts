/** What the last chunk of an answer tells. Durations in ms; what Ollama left out is absent. */
export interface AnswerStats {
  readonly totalMs?: number
  readonly loadMs?: number
  readonly promptTokens?: number
  readonly promptMs?: number
  readonly answerTokens?: number
  readonly answerMs?: number
}
