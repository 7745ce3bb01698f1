import type {Reporter, TestModule} from 'vitest/node'

/** Ends every run with one plain line that any CI can read. */
export default class PlainLine implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>): void {
    const count = {passed: 0, failed: 0, skipped: 0, pending: 0}
    for (const module of modules) {
      for (const test of module.children.allTests()) count[test.result().state]++
      // A file that could not even be loaded holds no test, and is a failure all the same.
      if (module.state() === 'failed' && module.errors().length > 0) count.failed++
    }
    console.log(
      `\n${count.passed} passed, ${count.failed + count.pending} failed, ${count.skipped} skipped`,
    )
  }
}
