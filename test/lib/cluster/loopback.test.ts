import {expect, test} from 'vitest'
import {isLoopback} from '../../../src/lib/cluster/loopback.ts'

test.each(['127.0.0.1', '127.255.0.9', '::1', 'localhost', '::ffff:127.0.0.1', '::FFFF:127.1.2.3'])(
  '%s is reached by this machine alone',
  (address) => expect(isLoopback(address)).toBe(true),
)

test.each([
  '0.0.0.0',
  '::',
  '',
  '10.0.0.1',
  '128.0.0.1',
  '127.0.0.1.example.com',
  '127.evil.example.com',
  '127.0.0.256',
  'localhost.example.com',
  '::ffff:10.0.0.1',
  '::11',
])('%s may be reached by others', (address) => expect(isLoopback(address)).toBe(false))
