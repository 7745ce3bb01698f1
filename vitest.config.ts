import {availableParallelism} from 'node:os'
import {defineConfig} from 'vitest/config'

export default defineConfig({
  test: {
    reporters: ['default', './test/support/reporter.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/{lib,commands}/**/*.test.{ts,tsx}', 'test/*.test.ts'],
          testTimeout: 20_000,
          // Most of them wait for processes and sockets.
          maxWorkers: Math.max(3, availableParallelism()),
          sequence: {groupOrder: 1},
        },
      },
      // Two at a time: each file builds hosts of its own, which mostly wait, and the machines that run this are small.
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          maxWorkers: 2,
          sequence: {groupOrder: 0},
        },
      },
    ],
  },
})
