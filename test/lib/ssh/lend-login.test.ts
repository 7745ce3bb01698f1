import {appendFileSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterAll, beforeAll, expect} from 'vitest'
import {type Connection, dial} from '../../../src/lib/ssh/dial.ts'
import {resolveTarget} from '../../../src/lib/ssh/target.ts'
import {needs} from '../../support/needs.ts'
import {type Sshd, startSshd} from '../../support/sshd.ts'

// One machine is let log in to another in our name: three real sshd, all of which our key opens.

const test = needs('ssh', 'ssh-add')
let from: Sshd
let lent: Sshd
let other: Sshd
const open: Connection[] = []

beforeAll(async () => {
  ;[from, lent, other] = await Promise.all([startSshd(), startSshd(), startSshd()])
  const ours = readFileSync(`${from.key}.pub`, 'utf8')
  for (const {dir} of [lent, other]) appendFileSync(join(dir, 'authorized_keys'), ours)
})
afterAll(async () => {
  await Promise.all(open.map((connection) => connection.close()))
  await Promise.all([from, lent, other].map((server) => server?.stop()))
})

/** All by the key of `from`. */
async function connect(server: Sshd): Promise<Connection> {
  const target = await resolveTarget(server.target, {env: from.env})
  const connection = await dial(target, {env: from.env, accept: true})
  open.push(connection)
  return connection
}

const LOGIN = `ssh -F none -o BatchMode=yes -o IdentityFile=none -o StrictHostKeyChecking=no \
  -o UserKnownHostsFile=/dev/null -o ConnectTimeout=5 -p "$1" "$2@127.0.0.1" echo inside`

test('while it is lent the machine can log in there, and nowhere else', async () => {
  const [source, target] = [await connect(from), await connect(lent)]
  const {login} = target
  expect(login).toBeDefined()
  const into = (server: Sshd) =>
    source.exec(LOGIN, {args: [String(server.port), server.user], lend: login})
  expect(await into(lent)).toMatchObject({code: 0, stdout: 'inside\n'})
  const refused = await into(other)
  expect([refused.code, refused.stdout]).toEqual([255, ''])
  expect(refused.stderr).toContain('Permission denied')
})

test('what is not lent gives no agent at all, and after it there is none', async () => {
  const source = await connect(from)
  const list = 'ssh-add -l 2>&1; :'
  const {login} = await connect(lent)
  expect((await source.exec(list, {lend: login})).stdout).toContain('ED25519')
  expect((await source.exec(list)).stdout).not.toContain('ED25519')
})

test('it signs nothing but logins: no file, no other data', async () => {
  const source = await connect(from)
  const {login} = await connect(lent)
  const sign = `d=$(mktemp -d); ssh-add -L >$d/k.pub; echo x >$d/x
    ssh-keygen -Y sign -f $d/k.pub -n file $d/x 2>&1; ls $d; rm -r $d`
  const said = await source.exec(sign, {lend: login})
  expect(said.stdout).not.toContain('x.sig')
})
