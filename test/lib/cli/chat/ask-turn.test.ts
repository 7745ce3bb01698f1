import {expect, test} from 'vitest'
import {describeTurn} from '../../../../src/lib/cli/chat/ask-turn.ts'

test('who answered, how much and how fast', () => {
  const answer = {node: 'n1', stats: {answerTokens: 120, answerMs: 2400}, doneReason: 'stop'}
  expect(describeTurn(answer, 312)).toBe('n1 · 120 tokens · 50.0 tokens/s · first token 312ms')
})

test('what the node did not tell is unknown, and an answer that ran out of tokens says so', () => {
  expect(describeTurn({node: 'n1', stats: {}, doneReason: 'length'}, undefined)).toBe(
    'n1 · unknown tokens · unknown tokens/s · first token unknown · out of tokens (num_predict or the context)',
  )
})
