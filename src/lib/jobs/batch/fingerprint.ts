import {createHash} from 'node:crypto'

/** Sixteen hex digits that tell what was asked by a line from what another line, or another --model, would ask. */
export function fingerprintOf(text: string, model: string | undefined): string {
  return createHash('sha256')
    .update(model ?? '')
    .update('\n')
    .update(text)
    .digest('hex')
    .slice(0, 16)
}
