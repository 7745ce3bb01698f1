import {createHash, createHmac, randomBytes} from 'node:crypto'
import {appendFile, mkdir, open, readFile} from 'node:fs/promises'
import {dirname} from 'node:path'
import {OllamaxError} from '../../errors.ts'

/** One line of a known_hosts file. */
export interface KnownHost {
  /** Comma list of patterns, or one hashed name, as it stands there. */
  readonly hosts: string
  readonly marker: 'none' | 'revoked' | 'cert-authority'
  /** `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`... */
  readonly type: string
  /** The public key in SSH wire form, base64. */
  readonly key: string
  readonly file: string
  readonly line: number
}

/** `SHA256:...` of a public key in SSH wire form, as OpenSSH prints it. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
}

/** The type that stands at the head of a public key in SSH wire form. */
export function keyTypeOf(key: Buffer): string {
  return key.length < 4 ? '' : key.toString('latin1', 4, 4 + key.readUInt32BE(0))
}

/** Under which name a host is on record: `host`, or `[host]:port` for any port but 22. */
export function recordName(host: string, port: number): string {
  return port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`
}

/** Reads one file's text; lines that make no sense are passed over, as OpenSSH does. */
export function parseKnownHosts(text: string, file: string): KnownHost[] {
  const found: KnownHost[] = []
  for (const [at, line] of text.split(/\r?\n/).entries()) {
    const parts = line.trim().split(/[ \t]+/)
    if (parts[0] === '' || parts[0]?.startsWith('#')) continue
    const mark = parts[0]?.startsWith('@') ? parts.shift() : undefined
    if (mark !== undefined && mark !== '@revoked' && mark !== '@cert-authority') continue
    const [hosts, type, key] = parts
    if (!hosts || !type || !key || keyTypeOf(Buffer.from(key, 'base64')) !== type) continue
    const marker = mark === undefined ? 'none' : mark === '@revoked' ? 'revoked' : 'cert-authority'
    found.push({hosts, marker, type, key, file, line: at + 1})
  }
  return found
}

/** True if the record is about `name` (from `recordName`): plain, with wildcards, negated or hashed. */
export function coversHost(record: KnownHost, name: string): boolean {
  if (record.hosts.startsWith('|1|')) {
    const [, , salt = '', hash] = record.hosts.split('|')
    return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash
  }
  let covered = false
  for (const pattern of record.hosts.split(',')) {
    const negated = pattern.startsWith('!')
    if (!globMatches(negated ? pattern.slice(1) : pattern, name)) continue
    if (negated) return false
    covered = true
  }
  return covered
}

/** OpenSSH's two wildcards, `*` and `?`; case does not count. */
export function globMatches(pattern: string, name: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${source}$`, 'is').test(name)
}

/** Reads all files that are there; STATE_IO for one that is there and cannot be read. */
export async function readKnownHosts(files: readonly string[]): Promise<KnownHost[]> {
  const lists = await Promise.all(
    files.map(async (file) => {
      try {
        return parseKnownHosts(await readFile(file, 'utf8'), file)
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code
        if (code === 'ENOENT' || code === 'ENOTDIR') return []
        // A record that cannot be read might be the one that warns of this very host.
        throw new OllamaxError('STATE_IO', `the known hosts in ${file} cannot be read: ${code}`, {
          cause: error,
          suggestions: [`make it readable for you: ls -l ${file}`],
        })
      }
    }),
  )
  return lists.flat()
}

/** Adds a key at the end of `file` in one write, creating it (0600) and its directory (0700). */
export async function addKnownHost(
  file: string,
  entry: {readonly name: string; readonly key: Buffer; readonly hashed: boolean},
): Promise<void> {
  let name = entry.name
  if (entry.hashed) {
    const salt = randomBytes(20)
    const hash = createHmac('sha1', salt).update(name).digest('base64')
    name = `|1|${salt.toString('base64')}|${hash}`
  }
  await mkdir(dirname(file), {recursive: true, mode: 0o700})
  const lineBreak = (await endsInMidLine(file)) ? '\n' : ''
  const line = `${lineBreak}${name} ${keyTypeOf(entry.key)} ${entry.key.toString('base64')}\n`
  await appendFile(file, line, {mode: 0o600})
}

async function endsInMidLine(file: string): Promise<boolean> {
  const handle = await open(file, 'r').catch(() => undefined)
  if (!handle) return false
  try {
    const {size} = await handle.stat()
    if (size === 0) return false
    const last = Buffer.alloc(1)
    await handle.read(last, 0, 1, size - 1)
    return last[0] !== 0x0a
  } finally {
    await handle.close()
  }
}
