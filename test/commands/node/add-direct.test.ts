import {readFileSync, writeFileSync} from 'node:fs'
import {createServer, type Server} from 'node:http'
import type {AddressInfo} from 'node:net'
import {join} from 'node:path'
import {afterEach, beforeEach, expect, test} from 'vitest'
import {runCli} from '../../support/run-cli.ts'
import {type TempHome, tempHome} from '../../support/temp-home.ts'

// node add http://...: a server behind something that wants a header.

let home: TempHome
let server: Server
let url: string
beforeEach(async () => {
  home = tempHome()
  server = createServer((request, reply) => {
    const known = request.headers.authorization === 'Bearer sesame'
    reply.writeHead(known ? 200 : 401, {'content-type': 'application/json'})
    reply.end(known ? '{"version":"0.33.0","models":[]}' : '{"error":"unauthorized"}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(() => {
  server.close()
  home.dispose()
})

test('who is not let in is told how to say who asks', async () => {
  const {code, stderr} = await runCli(['node', 'add', url], {env: home.env})
  expect(code).toBe(4)
  expect(stderr).toMatch(/unauthorized[\s\S]*Try this: .*--header Authorization=env:NAME/)
})

test('files that are named for it are found from any directory afterwards', async () => {
  writeFileSync(join(home.dir, 'token'), 'Bearer sesame\n')
  writeFileSync(join(home.dir, 'ca.pem'), readFileSync(new URL(import.meta.url)))
  const words = ['--name', 'g', '--header', 'Authorization=file:token', '--ca', 'ca.pem']
  const added = await runCli(['node', 'add', url, ...words], {env: home.env, cwd: home.dir})
  expect(added).toMatchObject({code: 0})
  const {stdout} = await runCli(['node', 'show', 'g', '--live', '--json'], {
    env: home.env,
    cwd: '/',
  })
  expect(JSON.parse(stdout).last).toMatchObject({state: 'up', version: '0.33.0'})
})
