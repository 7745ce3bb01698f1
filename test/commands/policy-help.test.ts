import {expect, test} from 'vitest'
import {POLICY_NAMES} from '../../src/lib/balancer/policies.ts'
import {routeFlags} from '../../src/lib/cli/answer-flags.ts'

test('the help of --policy names each of them', () => {
  for (const name of POLICY_NAMES) expect(routeFlags().policy.summary).toContain(name)
})
