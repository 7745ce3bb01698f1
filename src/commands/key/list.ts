import {BaseCommand} from '../../lib/cli/base-command.ts'
import {type Cell, forPeople, table} from '../../lib/cli/output.ts'
import {formatAge} from '../../lib/cluster/format.ts'
import {formatRate} from '../../lib/cluster/rate.ts'
import {roundDuration} from '../../lib/cluster/size.ts'
import type {ShownKey} from '../../lib/jobs/change-keys.ts'

export interface KeyListResult {
  readonly cluster: string
  readonly keys: readonly ShownKey[]
}

export default class KeyList extends BaseCommand {
  static override summary = 'list who may use the gateway, and within which limits'
  static override description =
    'Piped columns: name, id, kind, created, expires (ISO times), models, rate, priority, weight, continue, admin, fingerprint; `-` is none.'
  static override examples = [
    '<%= config.bin %> key list',
    '<%= config.bin %> key list --json --cluster lab',
  ]

  async run(): Promise<KeyListResult> {
    const {flags} = await this.parse(KeyList)
    const {listKeys} = await import('../../lib/jobs/change-keys.ts')
    const tools = this.tools(flags)
    const keys = await listKeys(tools)
    if (keys.length === 0) this.note('No keys yet. Make one: ollamax key create NAME')
    else if (!this.jsonEnabled()) this.say(await table(COLUMNS, keys.map(row)))
    return {cluster: tools.clusterName(), keys}
  }
}

const COLUMNS = [
  'NAME',
  'ID',
  'KIND',
  'CREATED',
  'EXPIRES',
  'MODELS',
  'RATE',
  'PRIORITY',
  'WEIGHT',
  'CONTINUE',
  'ADMIN',
  'FINGERPRINT',
]

function row(key: ShownKey): Cell[] {
  const people = forPeople()
  const nowMs = Date.now()
  return [
    key.name,
    key.id,
    key.kind,
    people ? formatAge(nowMs - Date.parse(key.createdAt)) : key.createdAt,
    expiry(key, people, nowMs),
    key.models?.join(',') ?? '-',
    key.ratePerMinute === null ? '-' : formatRate(key.ratePerMinute),
    key.priority,
    String(key.weight),
    key.continue ? 'yes' : 'no',
    key.admin ? 'yes' : 'no',
    key.fingerprint ?? '-',
  ]
}

/** For people how long it is still good; for programs until when. */
function expiry({expiresAt, expired}: ShownKey, people: boolean, nowMs: number): Cell {
  if (expiresAt === null) return '-'
  const text = expired ? 'expired' : `in ${roundDuration(Date.parse(expiresAt) - nowMs)}`
  return {text: people ? text : expiresAt, tone: expired ? 'bad' : 'dim'}
}
