import {expect, test} from 'vitest'
import {type Failure, judge, type Verdict} from '../../../src/lib/balancer/verdict.ts'

const reply = (status: number, words: string): Failure => ({kind: 'reply', status, words})

const cases: ReadonlyArray<readonly [Failure, Verdict]> = [
  // Mistakes of the caller: any node would say the same.
  [reply(400, 'invalid model name'), 'caller'],
  [reply(400, '"tiny" does not support thinking'), 'caller'],
  [reply(413, ''), 'caller'],
  [reply(500, 'option "num_ctx" must be of type integer'), 'caller'],
  [reply(500, 'invalid format: "xml"; expected "json" or a JSON schema'), 'caller'],
  [reply(500, 'template: :1: unclosed action'), 'caller'],
  [{kind: 'line', words: 'invalid format: x'}, 'caller'],
  // The catalogue was stale.
  [reply(404, "model 'nope' not found"), 'missing'],
  [reply(404, 'model "nope" not found, try pulling it first'), 'missing'],
  [reply(501, 'This server does not support embeddings'), 'unable'],
  // It has enough to do.
  [reply(503, 'server busy, please try again.  maximum pending requests exceeded'), 'busy'],
  [reply(429, 'too many requests'), 'busy'],
  // It is not well, or is no Ollama.
  [reply(404, '404 page not found'), 'unable'],
  [reply(401, 'unauthorized'), 'broken'],
  [reply(403, ''), 'broken'],
  [reply(500, 'llama-server process no longer running: unknown '), 'broken'],
  [reply(500, 'model requires more system memory (5 GiB) than is available'), 'broken'],
  [reply(502, ''), 'broken'],
  [
    {kind: 'line', words: 'an error was encountered while running the model: unexpected EOF'},
    'broken',
  ],
  [{kind: 'unreachable'}, 'broken'],
  [{kind: 'timeout'}, 'broken'],
  [{kind: 'cut'}, 'broken'],
]

test.each(cases)('%j is %s', (failure, verdict) => expect(judge(failure)).toBe(verdict))
