// Holds the deploy lock of the current cluster until it is killed, and says so.
import {once} from 'node:events'
import {makeTools} from '../../../src/lib/jobs/make-tools.ts'
import {withDeployLock} from '../../../src/lib/jobs/with-deploy-lock.ts'

const tools = makeTools({env: process.env, signal: new AbortController().signal})
await withDeployLock(tools, {reason: 'upgrade of gpu-1'}, async () => {
  console.log('held')
  await once(process.stdin.resume(), 'end')
})
console.log('released')
