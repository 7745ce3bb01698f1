import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {afterAll, beforeAll, expect} from 'vitest'
import {type Lab, startLab} from '../lab/lab.ts'
import type {ToolResult} from '../lab/tools.ts'
import {LAB_NEEDS, needs} from '../support/needs.ts'
import {waitFor} from '../support/wait-for.ts'

const test = needs(...LAB_NEEDS)
let lab: Lab

beforeAll(async () => {
  lab = await startLab({hosts: 2, plain: [2]})
})
afterAll(() => lab?.close())

const ssh = (words: readonly string[], on = lab): Promise<ToolResult> =>
  on.tool(['ssh', '-F', join(on.dir, 'ssh_config'), '-o', 'ConnectTimeout=3', ...words])

test('a host runs systemd without a failed unit, and its accounts have the rights they should', async () => {
  await waitFor('the boot to end', async () =>
    (await lab.exec(1, 'systemctl is-system-running || :')).includes('running'),
  )
  expect(await lab.exec(1, 'systemctl --failed --no-legend')).toBe('')
  expect((await ssh(['h1', 'sudo -n id -u'])).stdout).toBe('0\n')
  expect((await ssh(['pat@h1', 'sudo -n true'])).stderr).toContain('password is required')
  expect((await ssh(['root@h2', 'hostname; cat /proc/1/comm'])).stdout).toBe('h2\nplain-init\n')
})

test('there is no way out of a lab', async () => {
  const away = await lab.tool(['ping', '-c1', '-W1', '192.0.2.1'])
  expect(away.code).not.toBe(0)
  await expect(lab.exec(1, 'ip route get 192.0.2.1')).rejects.toThrow('unreachable')
})

test('a reboot is told by its boot id, a cut host is gone, and both come back with their disk', async () => {
  await lab.exec(1, 'echo kept >/root/note; sync')
  const before = lab.power.bootId(1)
  await lab.power.reboot(1)
  expect(lab.power.bootId(1)).not.toBe(before)
  await lab.power.off(1)
  await lab.power.on(1)
  await lab.power.cut(1)
  expect((await ssh(['h1', 'true'])).code).toBe(255)
  await lab.power.on(1)
  expect(await lab.exec(1, 'cat /root/note')).toBe('kept\n')
})

test('the cable comes out and goes in', async () => {
  await lab.net.unplug(2)
  expect((await ssh(['h2', 'true'])).code).toBe(255)
  await lab.net.plug(2)
  expect((await ssh(['h2', 'echo back'])).stdout).toBe('back\n')
})

test('a second lab at the same time has hosts of its own', async () => {
  const other = await startLab({hosts: 1})
  try {
    await other.exec(1, 'echo other >/etc/motd')
    expect((await ssh(['h1', 'cat /etc/motd'], other)).stdout).toBe('other\n')
    expect((await ssh(['h1', 'cat /etc/motd'])).stdout).not.toBe('other\n')
  } finally {
    await other.close()
  }
  expect(existsSync(other.dir)).toBe(false)
})

test('a lab does not outlive the process that started it, not even a killed one', async () => {
  const file = join(import.meta.dirname, '../lab/lab.ts')
  const script = `const {startLab} = await import(${JSON.stringify(file)})
    const lab = await startLab({hosts: 1})
    console.log(lab.dir)
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script])
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const dir = line.toString().trim()
  expect(insideOf(dir).length).toBeGreaterThan(0)
  child.kill('SIGKILL')
  await waitFor('its processes to end', () => insideOf(dir).length === 0)
})

/** Processes that were started for the lab in that directory. */
function insideOf(dir: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(dir)
    } catch {
      return false // it has ended meanwhile
    }
  })
}
