import {once} from 'node:events'
import {type AddressInfo, connect} from 'node:net'
import ssh2 from 'ssh2'
import {expect, test} from 'vitest'
import {exec} from '../../../src/lib/ssh/channels/exec.ts'
import {wireOver} from '../../../src/lib/ssh/connect/wire.ts'
import {freshKey} from '../../support/fake-ssh.ts'

test('a command that is over in the packet that says it has begun keeps its exit code', async () => {
  const key = freshKey()
  const server = new ssh2.Server({hostKeys: [key]}, (client) => {
    client.on('error', () => {})
    client.on('authentication', (attempt) => attempt.accept())
    client.on('session', (accept) => {
      accept().on('exec', (start, _, info) => {
        const marker = /ox-[0-9a-f]{24}/.exec(info.command)?.[0]
        // All of it leaves this process as one write.
        const socket = (client as unknown as {_sock: {cork(): void; uncork(): void}})._sock
        socket.cork()
        const channel = start()
        if (marker) {
          channel.write(`${marker} 1\nsaid`)
          channel.exit(7)
          channel.end()
        }
        socket.uncork()
      })
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = new ssh2.Client()
  const {port} = server.address() as AddressInfo
  const stream = connect(port, '127.0.0.1')
  client.connect({sock: stream, username: 'u', password: 'p'})
  await once(client, 'ready')
  const wire = wireOver(client, 'quick', {stream})
  try {
    expect(await exec(wire, 'exit 7')).toEqual({code: 7, stdout: 'said', stderr: ''})
  } finally {
    await wire.close()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  }
})
