import {clusterJsonSchema} from './schema.ts'

interface Part {
  readonly type?: string
  readonly description?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly properties?: Readonly<Record<string, Part>>
  readonly required?: readonly string[]
  readonly items?: Part
  readonly additionalProperties?: Part | boolean
  readonly anyOf?: readonly Part[]
}

const EXAMPLE = `apiVersion: ollamax/v1
kind: Cluster
defaults:
  readTimeout: 2s
nodes:
  - name: gpu-1
    ssh: ubuntu@gpu-1
    labels: {tier: fast}
    ollama:
      version: 0.33.0
      env:
        OLLAMA_NUM_PARALLEL: 4
  - name: shared
    url: https://ollama.example.org
    headers:
      Authorization: {env: OLLAMA_EXAMPLE_AUTH}
groups:
  - labels: {tier: fast}
    ollama: {env: {OLLAMA_FLASH_ATTENTION: 1}}
models:
  - name: llama3.2:3b
    replicas: 2
    placement: {labels: {tier: fast}}
    warm: true
aliases: {fast: llama3.2:3b}`

/** docs/config.md: the cluster file as its schema describes it. */
export function describeConfig(): string {
  const rows: string[] = []
  list(clusterJsonSchema() as Part, '', rows)
  return `# The cluster file

One YAML file per cluster, \`clusters/NAME.yaml\` in the configuration directory (\`ollamax config path\` prints it;
\`OLLAMAX_HOME\` moves it). Edit it by hand as you like: what ollamax changes later keeps your comments, your order and
your styles. \`ollamax config validate\` lists everything that is wrong with it, with line and column. An unknown key is
an error. No secret stands in it: a password is asked for, and the value of a secret header is named by
\`{env: VARIABLE}\` or \`{file: PATH}\`. Durations are written like \`500ms\`, \`30s\`, \`5m\` or \`1h30m\`.

\`\`\`yaml
${EXAMPLE}
\`\`\`

| key | value | meaning |
| --- | --- | --- |
${rows.join('\n')}

## Preferences

What this user likes, for all clusters, stands in \`preferences.json\` beside the clusters. It is read and changed with
\`ollamax config get KEY\` and \`ollamax config set KEY VALUE\`.

| key | value | meaning |
| --- | --- | --- |
| \`cluster\` | name | the cluster that commands work on; \`--cluster\` and \`OLLAMAX_CLUSTER\` go before it |
| \`default-model\` | model name | the model that \`chat\` talks with when it is given none |
| \`output\` | \`auto\`, \`table\`, \`plain\` or \`json\` | how results are printed; \`auto\`: a table on a terminal, else plain lines; \`OLLAMAX_OUTPUT\` goes before it |
| \`theme\` | \`auto\`, \`dark\`, \`light\` or \`none\` | colours; \`none\`: no colours; \`OLLAMAX_THEME\` goes before it |
`
}

function list(part: Part, path: string, rows: string[]): void {
  for (const [key, inner] of Object.entries(part.properties ?? {})) {
    const at = path ? `${path}.${key}` : key
    const must = part.required?.includes(key) ? ' (required)' : ''
    const array = inner.items ?? inner.anyOf?.find((one) => one.items)?.items
    rows.push(`| \`${at}\`${must} | ${describeValue(inner)} | ${inner.description ?? ''} |`)
    list(inner, at, rows)
    if (array) list(array, `${at}[]`, rows)
  }
}

function describeValue(part: Part): string {
  if (part.const !== undefined) return `\`${String(part.const)}\``
  if (part.enum) return part.enum.map((value) => `\`${String(value)}\``).join(', ')
  if (part.anyOf?.some((one) => one.type === 'array')) return 'list'
  const first = part.anyOf?.find((one) => one.type !== 'null')
  if (first?.type === 'integer' || typeof first?.additionalProperties === 'object')
    return (part.anyOf ?? [])
      .filter((one) => one.type !== 'null')
      .map(describeValue)
      .join(' or ')
  if (typeof part.additionalProperties === 'object') return 'mapping'
  return WORDS[part.type ?? ''] ?? 'text'
}

const WORDS: Readonly<Record<string, string>> = {
  array: 'list',
  object: 'mapping',
  integer: 'whole number',
  boolean: '`true` or `false`',
}
