// Adds a key of the given name to the cluster "lab".
import {makeKeyId, makeToken} from '../../../src/lib/auth/make-token.ts'
import {changeKeys} from '../../../src/lib/state/keys-file.ts'
import {pathsFor} from '../../../src/lib/state/paths.ts'

const [name = ''] = process.argv.slice(2)
const {hash} = makeToken()
const key = {kind: 'token', id: makeKeyId(), name, createdAtMs: Date.now(), hash} as const
await changeKeys(pathsFor(process.env), 'lab', (keys) => ({
  keys: [...keys, key],
  result: undefined,
}))
