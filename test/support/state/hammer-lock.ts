// Takes the lock of a directory again and again and reports every time that it was not alone in it.
import {readFileSync, renameSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {setImmediate as tick} from 'node:timers/promises'
import {withLock} from '../../../src/lib/state/lock.ts'

const [directory = ''] = process.argv.slice(2)
const inside = join(directory, 'inside')
const counter = join(directory, 'counter')

const read = (file: string) => {
  try {
    return Number(readFileSync(file, 'utf8'))
  } catch {
    return 0
  }
}

const lives = (pid: number) => {
  try {
    process.kill(pid, 0)
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0] !== 'Z'
  } catch {
    return false
  }
}

for (;;) {
  await withLock(directory, async () => {
    const other = read(inside)
    if (other !== 0 && lives(other)) console.log(`violation ${other}`)
    writeFileSync(inside, String(process.pid))
    const count = read(counter)
    await tick()
    if (read(inside) !== process.pid) console.log(`violation ${read(inside)}`)
    // A kill between the two leaves the old count: only whole turns count.
    writeFileSync(`${counter}.${process.pid}`, String(count + 1))
    renameSync(`${counter}.${process.pid}`, counter)
    rmSync(inside, {force: true})
  })
  console.log('done')
}
