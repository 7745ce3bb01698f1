import fc from 'fast-check'
import {expect, test} from 'vitest'
import {hideSecrets} from '../../../src/lib/cluster/hide-secrets.ts'

test.each([
  ['exec: env HF_TOKEN=hf_abcdefghijkl make', 'exec: env HF_TOKEN=*** make'],
  ['curl -H "Authorization: Bearer abc.def-123" x', 'curl -H "Authorization: Bearer ***" x'],
  ['curl -u : https://ann:s3cret@host/x', 'curl -u : https://ann:***@host/x'],
  ["export API_KEY='two words' && run", 'export API_KEY=*** && run'],
  ['mysql --password hunter2 -e x', 'mysql --password *** -e x'],
  ['psql --password=hunter2', 'psql --password=***'],
  ['{"secret": "x y", "a": 1}', '{"secret": ***, "a": 1}'],
  ['echo sk-abcdefghijklmnop', 'echo ***'],
])('%j keeps its secret', (text, shown) => expect(hideSecrets(text)).toBe(shown))

test.each([
  'switch to 0.33.0',
  'write the drop-in',
  'exec: df -h / | tail -1',
  'exec: ollama run llama3:8b "what is a token bucket"',
  'exec: systemctl restart ollama',
])('%j is left as it is', (text) => expect(hideSecrets(text)).toBe(text))

test('a value after the name of a secret is never shown, whatever it is', () => {
  const value = fc.stringMatching(/^[A-Za-z0-9+/_.-]{6,40}$/)
  const name = fc.constantFrom('TOKEN', 'MY_API_KEY', 'db-password', 'clientSecret', 'PASSWD')
  fc.assert(
    fc.property(name, fc.constantFrom('=', ': ', ' = '), value, (key, sign, secret) => {
      expect(hideSecrets(`run ${key}${sign}${secret} now`)).toBe(`run ${key}${sign}*** now`)
    }),
  )
})

test('it ends in good time on what is made to hold it up', () => {
  const since = performance.now()
  for (const text of ['token'.repeat(20_000), 'a-'.repeat(50_000), '://'.repeat(30_000)])
    hideSecrets(text)
  expect(performance.now() - since).toBeLessThan(2000)
})
