// The manual pages, from oclif.manifest.json: `ollamax.1` and, as docs/commands/ and gh have it, one page per first word
// of a command. One page for all would be as long as bash's, one per command ninety files; and `man ollamax node` finds
// ollamax-node.1 by itself.

const GLOBAL = ['json', 'cluster']
/** Not from flags, which name theirs in the manifest. */
const VARIABLES = {
  OLLAMAX_HOME: 'one directory for all that ollamax keeps, instead of those of the platform',
  OLLAMAX_OUTPUT:
    'table, plain or json: how results are printed, whether there is a terminal or not',
  OLLAMAX_THEME: 'none: no colours',
  OLLAMAX_SSH_CONFIG: 'the ssh_config to use instead of the usual ones',
  OLLAMAX_SSH_PASSWORD: 'password for SSH, where nobody can be asked',
  OLLAMAX_SSH_PASSPHRASE: 'passphrase of a private key, likewise',
  OLLAMAX_SUDO_PASSWORD: 'password for sudo on the nodes, likewise',
  NO_COLOR: 'anything but empty: no colours',
  FORCE_COLOR: 'colours also where there is no terminal; 0: none at all',
}
const EXITS = [
  ['0', 'done'],
  ['1', 'failure'],
  ['2', 'wrong usage'],
  ['3', 'not found'],
  ['4', 'unreachable'],
  ['5', 'locked or in conflict'],
  ['6', 'denied'],
  ['130', 'interrupted'],
]

/** File name -> text of each page. `pkg`: package.json. */
export function manPages(manifest, pkg) {
  const commands = Object.entries(manifest.commands)
    .filter(([, {hidden}]) => !hidden)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  const first = ([id]) => id.split(':')[0]
  const pages = Map.groupBy(commands, first)
  const aboutOf = (name) =>
    manifest.commands[name]?.summary ?? pkg.oclif.topics[name]?.description ?? name
  // Without a date: one would change the pages each day, and they are checked for drift.
  const page = (name, about, body) =>
    `${[
      `.\\" Made from oclif.manifest.json by scripts/docs.js`,
      `.TH ${name.toUpperCase().replaceAll('-', '\\-')} 1 "" "ollamax ${pkg.version}" "ollamax"`,
      '.SH NAME',
      `${code(name)} \\- ${text(about)}`,
      ...body,
    ]
      .filter((line, at, all) => line !== '.PP' || !/^\.S[HS] /.test(all[at - 1] ?? ''))
      .join('\n')}\n`
  const names = [...pages.keys()]
  const files = [
    ['ollamax.1', page('ollamax', pkg.description, overview(commands, names, aboutOf))],
    ...names.map((name) => [
      `ollamax-${name}.1`,
      page(`ollamax-${name}`, aboutOf(name), topic(pages.get(name), pages.get(name).length > 1)),
    ]),
  ]
  return new Map(files)
}

function overview(commands, names, aboutOf) {
  const flags = Object.values(commands[0][1].flags).filter(({name}) => GLOBAL.includes(name))
  const fromFlags = commands.flatMap(([, command]) =>
    Object.values(command.flags).filter((flag) => flag.env && !flag.hidden),
  )
  const variables = {
    ...Object.fromEntries(fromFlags.map((flag) => [flag.env, flag.summary])),
    ...VARIABLES,
  }
  return [
    '.SH SYNOPSIS',
    '.B ollamax',
    '.I command',
    '.RI [ flags ]',
    '.SH DESCRIPTION',
    ...paragraphs(
      'A cluster is a set of machines with Ollama (nodes), written down in a YAML file. ollamax makes nodes out of machines it reaches over SSH, places models on them, and sends each request to the one that should answer soonest.',
    ),
    ...paragraphs('Begin with `ollamax quickstart` or `ollamax node add user@host`.'),
    '.SH COMMANDS',
    ...names.flatMap((name) => ['.TP', `.BR ollamax\\-${code(name)} (1)`, text(aboutOf(name))]),
    '.SH FLAGS OF EVERY COMMAND',
    ...flags.flatMap(flag),
    '.TP',
    '.B \\-\\-help',
    'how a command is used',
    '.SH EXIT STATUS',
    ...EXITS.flatMap(([code, about]) => ['.TP', `.B ${code}`, about]),
    '.SH ENVIRONMENT',
    ...Object.entries(variables)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([name, about]) => ['.TP', `.B ${name}`, text(about)]),
    '.SH FILES',
    ...paragraphs(
      'Cluster files and preferences lie in `~/.config/ollamax`, the embedded node in `~/.local/share/ollamax`, what can be thrown away in `~/.cache/ollamax` (XDG variables are heeded; other platforms have their own places). `ollamax config path` prints them.',
    ),
    '.SH SEE ALSO',
    names.map((name) => `.BR ollamax\\-${code(name)} (1)`).join(' ,\n'),
  ]
}

function topic(commands, several) {
  return [
    '.SH SYNOPSIS',
    commands.flatMap(([id, command]) => [synopsis(id, command)]).join('\n.br\n'),
    ...(several ? ['.SH COMMANDS'] : []),
    ...commands.flatMap(([id, command]) => describe(id, command, several)),
    '.SH SEE ALSO',
    '.BR ollamax (1)',
  ]
}

/** `several`: the command is one of some on the page, and its parts stand below its name. */
function describe(id, command, several) {
  const part = (title, lines) =>
    lines.length === 0 ? [] : [several ? `.PP\n${title}:` : `.SH ${title.toUpperCase()}`, ...lines]
  const flags = Object.values(command.flags).filter(
    ({name, hidden}) => !hidden && !GLOBAL.includes(name),
  )
  const said = [several ? sentence(command.summary) : '', command.description ?? '']
  return [
    ...(several ? [`.SS "ollamax ${code(id.replaceAll(':', ' '))}"`] : []),
    ...(several ? [] : ['.SH DESCRIPTION']),
    ...paragraphs(said.filter(Boolean).join('\n') || sentence(command.summary)),
    ...part('Arguments', Object.values(command.args).flatMap(argument)),
    ...part('Flags', flags.flatMap(flag)),
    ...part('Examples', [
      '.PP',
      '.nf',
      ...(command.examples ?? []).map((line) =>
        code(line.replaceAll('<%= config.bin %>', 'ollamax')),
      ),
      '.fi',
    ]),
  ]
}

function synopsis(id, command) {
  const args = Object.values(command.args).map(({name, required, multiple}) => {
    const more = multiple || command.strict === false
    const word = `\\fI${code(name)}\\fR${more ? ' ...' : ''}`
    return required ? word : `[${word}]`
  })
  return [`\\fBollamax ${code(id.replaceAll(':', ' '))}\\fR`, ...args, '[\\fIflags\\fR]'].join(' ')
}

function argument({name, description, options}) {
  const set = options ? `; one of ${options.join(', ')}` : ''
  return ['.TP', `.I ${code(name)}`, text(`${description ?? ''}${set}`)]
}

function flag({name, char, type, allowNo, options, helpValue, summary, description, ...rest}) {
  const value =
    type === 'option' ? ` \\fI${code(options?.join('|') ?? helpValue ?? 'value')}\\fR` : ''
  const names = [...(char ? [`\\-${char}`] : []), `\\-\\-${allowNo ? '[no\\-]' : ''}${code(name)}`]
  const more = [
    ...(rest.multiple ? ['may be repeated'] : []),
    ...(typeof rest.default === 'string' && !options?.includes('auto')
      ? [`default: ${rest.default}`]
      : []),
    ...(typeof rest.default === 'number' ? [`default: ${rest.default}`] : []),
    ...(rest.env ? [`also by ${rest.env}`] : []),
  ].filter((part) => !(summary ?? '').includes(part))
  const said = [summary ?? description ?? '', ...more].join('; ')
  return ['.TP', names.map((one) => `\\fB${one}\\fR${value}`).join(', '), text(said)]
}

const paragraphs = (said) =>
  said
    .replaceAll('<%= config.bin %>', 'ollamax')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .flatMap((line) => ['.PP', text(line)])

const sentence = (summary = '') => `${summary.slice(0, 1).toUpperCase()}${summary.slice(1)}.`

/** Running text: what stands in backquotes is bold. A line of it must not begin with a mark of roff. */
function text(said) {
  const parts = said.split('`')
  const roff = parts
    .map((part, at) =>
      at % 2 === 1 && at < parts.length - 1 ? `\\fB${code(part)}\\fR` : plain(part),
    )
    .join('')
  return roff.replace(/^([.'])/, '\\&$1')
}

const plain = (said) =>
  said.replaceAll('\\', '\\e').replaceAll('~', '\\(ti').replaceAll('^', '\\(ha')

/** What is to be typed as it stands: hyphens and quotes must stay what they are. */
const code = (said) =>
  plain(said)
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('"', '\\(dq')
    .replaceAll('`', '\\(ga')
    .replace(/^\./, '\\&.')
