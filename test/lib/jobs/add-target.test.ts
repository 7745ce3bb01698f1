import fc from 'fast-check'
import {expect, test} from 'vitest'
import {nameProblem} from '../../../src/lib/cluster/names.ts'
import {freeName, parseTarget, readTargets} from '../../../src/lib/jobs/add-target.ts'

test.each([
  ['ops@gpu.example.com:2222', 'ssh', 'gpu.example.com'],
  ['gpu-1', 'ssh', 'gpu-1'],
  ['ops@[fe80::1]:22', 'ssh', 'fe80-1'],
  ['http://10.0.0.7:11434/', 'direct', '10.0.0.7'],
  ['https://[::1]:1/x', 'direct', '1'],
  ['local', 'direct', 'local'],
  ['embedded', 'embedded', 'embedded'],
])('%s is a target of kind %s, by default named %s', (word, kind, base) => {
  expect(parseTarget(word)).toMatchObject({kind, base, target: word})
})

test.each([
  '',
  'a b',
  'h;reboot',
  '$(x)',
  '-oProxyCommand=x',
  'http://u:pw@h',
  'http://h/?key=1',
  'http://',
])('%j is no target', (word) => {
  expect(() => parseTarget(word)).toThrow(expect.objectContaining({code: 'BAD_INPUT'}))
})

test('a default name is always a valid one, and free', () => {
  fc.assert(
    fc.property(fc.domain(), fc.nat(30), (host, taken) => {
      const {base} = parseTarget(`ops@${host}`)
      const names = new Set<string>()
      for (let i = 0; i <= taken; i++) {
        const name = freeName(base, names)
        expect(nameProblem(name)).toBeUndefined()
        expect(names.has(name)).toBe(false)
        names.add(name)
      }
    }),
  )
})

test('a file lists targets one a line or as a YAML list, with comments', () => {
  const yaml = '---\n# rack 1\n- ops@h1 # the old one\n  - "h2"\n-\n'
  expect(readTargets(yaml)).toEqual(['ops@h1', 'h2'])
  expect(readTargets('h1\r\n\r\n  h2  \n')).toEqual(['h1', 'h2'])
  expect(readTargets('')).toEqual([])
})
