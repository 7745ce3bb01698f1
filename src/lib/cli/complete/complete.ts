import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import type {Tools} from '../../jobs/tools.ts'
import {loadCluster} from '../../state/load.ts'
import {pathsFor} from '../../state/paths.ts'
import {chosenCluster} from '../../state/preferences.ts'
import {oneLine} from '../paint.ts'
import {quoteForBash, readBashLine} from './bash-line.ts'
import {type Choice, type Expected, expectedAt} from './expected.ts'
import type {Manifest} from './manifest.ts'

type Door = Pick<Tools, 'cluster' | 'clusterName' | 'paths' | 'env'>

/**
 * Answers the completion scripts (`ollamax complete SHELL ...`) on stdout. The first line says what follows: `values`
 * or `parts` (no space after them), a value a line with a tab and what it means, or `files`: the shell is to complete
 * names of files; then how many characters of the word stay as they are. An answer is due at each press of a key, so
 * neither oclif nor the network is touched. Prints nothing where nothing is known; never fails.
 *
 * bash: the line up to the cursor, COMP_WORDBREAKS. zsh, fish: the words behind the program's name, the last one up to
 * the cursor.
 */
export async function complete(argv: readonly string[], root: string): Promise<void> {
  const [shell = '', ...rest] = argv
  const manifest = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8')) as Manifest
  process.stdout.write(await answer(manifest, shell, rest))
}

async function answer(manifest: Manifest, shell: string, rest: readonly string[]): Promise<string> {
  const line =
    shell === 'bash'
      ? readBashLine(rest[0] ?? '', rest[1] ?? '')
      : {words: ['', ...rest], left: 0, quote: '' as const}
  const words = line.words.slice(1)
  const expected = expectedAt(manifest, words)
  const word = words.at(-1) ?? ''
  const all = sound(await choicesOf(expected)).map(({value, about = ''}) => ({
    value: expected.kept + value,
    about: oneLine(about),
  }))
  const fitting = all.filter(({value}) => value.startsWith(word))
  const {source, kept} = expected
  if (source === 'files' || (source === 'json-or-file' && fitting.length === 0))
    return `files ${kept.length}\n`
  // zsh and fish know better what fits: the user may have taught them to pass over case, or to look in the middle.
  const shown = shell === 'bash' ? fitting : all
  const kind = shown.every(({value}) => /[=.]$/.test(value)) ? 'parts' : 'values'
  const lines = shown.map(({value, about}) => {
    if (shell === 'bash') return quoteForBash(value.slice(line.left), line)
    return `${shell === 'zsh' ? value.slice(kept.length) : value}\t${about}`
  })
  return shown.length === 0 ? '' : `${[`${kind} ${kept.length}`, ...lines].join('\n')}\n`
}

/** A name with a control character could not be told from the next line. */
const sound = (choices: readonly Choice[]) =>
  choices.filter(({value}) => value !== '' && !/\p{Cc}/u.test(value))

async function choicesOf(expected: Expected): Promise<readonly Choice[]> {
  const {choices, source, given, cluster} = expected
  if (source === 'free' || source === 'files') return choices
  const {knownValues} = await import('../../jobs/known-values.ts')
  return [...choices, ...(await knownValues(door(cluster), {kind: source, given}))]
}

function door(cluster: string | undefined): Door {
  const {env} = process
  const paths = pathsFor(env)
  const clusterName = () => chosenCluster(paths, cluster, env)
  return {env, paths, clusterName, cluster: () => loadCluster(paths, clusterName())}
}
