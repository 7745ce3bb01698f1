import {expect} from 'vitest'
import {type Artifact, makeArtifact} from './artifact.ts'
import {type Lab, startLab} from './lab.ts'

/** Three hosts that were made nodes: h1 and h2 by an account with sudo, h3 as root. */
export async function threeNodes(): Promise<{readonly lab: Lab; readonly artifact: Artifact}> {
  const [lab, artifact] = await Promise.all([startLab({hosts: 3}), makeArtifact()])
  const add = ['node', 'add', 'h1', 'h2', 'root@h3', '--artifact', artifact.file]
  const added = await lab.cli([...add, '--accept-host-key', '--yes'])
  expect(added.code, added.stderr).toBe(0)
  return {lab, artifact}
}
