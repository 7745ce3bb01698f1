import {expect, test} from 'vitest'
import {recordingLines} from '../../../src/lib/cluster/recording.ts'
import {checkRecording, parseRecording} from '../../../src/lib/state/recording-schema.ts'
import {recordedNode, recordedRequest, recording} from '../../support/recording.ts'

const whole = recording(
  [recordedNode('n1', {}, {tier: 1})],
  [0, 1].map((at) => recordedRequest(at)),
)

test('what was written is what is read', () => {
  expect(recordingLines(whole).split('\n')).toHaveLength(3)
  expect(parseRecording(`${recordingLines(whole)}\n`)).toEqual(whole)
  expect(checkRecording(structuredClone(whole))).toEqual(whole)
})

test.each([
  ['', 'it is empty'],
  ['{"a":\n', 'line 1 is no JSON'],
  ['{}', 'line 1: version'],
  [recordingLines({...whole, version: 2}), 'must be 1'],
  [`${recordingLines(whole)}\n{"id":"x"}`, 'line 4: at'],
  [recordingLines(whole).replace('"slots":1', '"slots":0'), 'line 1: nodes.0.replicas.0.slots'],
])('what is none is refused with the line and the field: %#', (text, words) => {
  expect(() => parseRecording(text)).toThrow(words)
})
