import {badLine, type Inventory, type InventoryEntry, sshTarget} from './entry.ts'

const COLUMNS = ['name', 'ssh', 'host', 'user', 'port', 'labels']

/**
 * Reads a table with a header: `name` and either `ssh` or `host` (with `user` and `port`), `labels` as `k=v;k=v`, and
 * a column `label.K` for each label of its own. BAD_INPUT names the line.
 */
export function readCsv(text: string): Inventory {
  const [first, ...rows] = recordsOf(text.replace(/^\ufeff/, ''))
  const header = first?.cells.map((cell) => cell.trim().toLowerCase()) ?? []
  const strange = header.find((it) => !COLUMNS.includes(it) && !it.startsWith('label.'))
  if (!first || strange !== undefined || !(header.includes('ssh') || header.includes('host')))
    throw badLine(
      first?.line ?? 1,
      strange === undefined
        ? 'the header needs a column ssh or host'
        : `the column ${JSON.stringify(strange)} is not known; known are ${COLUMNS.join(', ')} and label.NAME`,
    )
  const entries = rows.map(({line, cells}): InventoryEntry => {
    if (cells.length > header.length)
      throw badLine(line, `it has ${cells.length} values, and the header ${header.length}`)
    const of = (column: string) => cells[header.indexOf(column)]?.trim() || undefined
    const [host, ssh] = [of('host'), of('ssh')]
    if (host === undefined && ssh === undefined) throw badLine(line, 'it has neither ssh nor host')
    const target = ssh ?? sshTarget({host: host ?? '', user: of('user'), port: of('port')})
    const own = header.flatMap((column, at) => {
      const value = cells[at]?.trim()
      return column.startsWith('label.') && value ? [[column.slice('label.'.length), value]] : []
    })
    const name = of('name') ?? host ?? target.replace(/^.*@/, '').replace(/:\d+$/, '')
    return {
      name,
      ssh: target,
      labels: {...labelsIn(of('labels'), line), ...Object.fromEntries(own)},
    }
  })
  return {entries, notes: []}
}

function labelsIn(text: string | undefined, line: number): Record<string, string> {
  const pairs = (text ?? '').split(';').filter((pair) => pair.trim() !== '')
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) throw badLine(line, `the label ${JSON.stringify(pair)} is not K=V`)
      return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()]
    }),
  )
}

interface Row {
  readonly line: number
  readonly cells: string[]
}

/** As RFC 4180 has it: a value in quotes may hold commas, line ends and doubled quotes. Empty lines are none. */
function recordsOf(text: string): Row[] {
  const rows: Row[] = []
  let [line, began] = [1, 1]
  let cells: string[] = []
  let cell = ''
  let quoted = false
  const end = () => {
    cells.push(cell)
    if (cells.length > 1 || cell.trim() !== '') rows.push({line: began, cells})
    cells = []
    cell = ''
    began = line
  }
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? ''
    if (char === '\n') line++
    if (quoted) {
      if (char !== '"') cell += char
      else if (text[at + 1] === '"') cell += text[++at] ?? ''
      else quoted = false
    } else if (char === '"' && cell === '') quoted = true
    else if (char === ',') {
      cells.push(cell)
      cell = ''
    } else if (char === '\n') end()
    else if (char !== '\r') cell += char
  }
  if (quoted) throw badLine(began, 'a quote is not closed')
  end()
  return rows
}
