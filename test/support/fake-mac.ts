import {execFileSync, spawnSync} from 'node:child_process'
import {chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

/** A launchd of files: one per job, which holds its process id; a job that was killed lives again when looked at. */
const LAUNCHCTL = `
printf '%s\\n' "$*" >>"$FAKE/calls"
verb=$1; shift; [ "$1" != -k ] || shift
target=$1
file=$FAKE/jobs/$(printf '%s' "$target" | tr / _)
begin() { sleep 300 </dev/null >/dev/null 2>&1 & echo $! >"$1"; echo $! >>"$FAKE/pids"; }
case $verb in
  print)
    case $target in */*/*|system/*) ;; *) [ -e "$FAKE/no-$(printf %s "$target" | cut -d/ -f1)" ] && exit 1; exit 0 ;; esac
    [ -e "$file" ] || exit 113
    kill -0 "$(cat "$file")" 2>/dev/null || begin "$file"
    printf '%s = {\\n\\tstate = running\\n\\tstdout path = %s\\n\\tpid = %s\\n}\\n' "$target" "$FAKE/log" "$(cat "$file")" ;;
  bootstrap)
    [ ! -e "$FAKE/no-$(printf %s "$target" | cut -d/ -f1)" ] || { echo 'Bootstrap failed: 125: Domain does not support specified action' >&2; exit 125; }
    label=$(sed -n '/<key>Label</{n;s/.*<string>\\(.*\\)<.string>.*/\\1/p;}' "$2")
    [ ! -e "$file"_"$label" ] || { echo 'Bootstrap failed: 5: Input/output error' >&2; exit 5; }
    begin "$file"_"$label" ;;
  bootout) [ -e "$file" ] || exit 3; kill "$(cat "$file")"; rm "$file" ;;
  kickstart) [ -e "$file" ] || exit 113 ;;
  enable) ;;
  print-disabled) [ ! -e "$FAKE/disabled" ] || cat "$FAKE/disabled" ;;
  *) exit 64 ;;
esac
`.replaceAll('@{', '${')

/** What a Mac's own programs say, and refuse: flags of GNU's are errors there. */
const PROGRAMS: Readonly<Record<string, string>> = {
  launchctl: LAUNCHCTL,
  systemctl: 'exit 1',
  uname: 'case $1 in -s) echo Darwin ;; -m) echo arm64 ;; -r) echo 24.6.0 ;; *) echo mini ;; esac',
  sw_vers: 'echo 15.6',
  id: 'case $1 in -un) echo ann ;; *) echo 501 ;; esac',
  sudo: "echo 'Sorry, user ann may not run sudo on mini.' >&2; exit 1",
  sysctl: "case $2 in hw.memsize) echo 17179869184 ;; *) echo 'Apple M4' ;; esac",
  netstat: "echo 'tcp4       0      0  127.0.0.1.18434        *.*                    LISTEN'",
  lsof: "printf 'p42\\nLann\\n'",
  crontab: 'exit 1',
  mv: 'case $1 in -*T*|-*h*) echo "mv: illegal option" >&2; exit 64 ;; esac; exec /bin/mv "$@"',
  readlink: 'case $1 in -*) exit 64 ;; esac; exec /usr/bin/readlink "$@"',
  sha256sum: 'exec shasum -a 256 "$@"',
}

/** A directory that looks like a Mac to a shell whose PATH begins with it; nothing outside it is changed. */
export interface FakeMac {
  readonly home: string
  /** Marks `no-gui`: nobody is logged in; `disabled`: what print-disabled says. */
  mark(name: string, text?: string): void
  /** Runs a script there; throws if it fails. */
  run(script: string, args?: readonly string[]): string
  /** As `run`; the exit code. */
  code(script: string, args?: readonly string[]): number
  /** All calls of launchctl. */
  calls(): string
  close(): void
}

export function fakeMac(): FakeMac {
  const dir = mkdtempSync(join(tmpdir(), 'ox mac-'))
  const home = join(dir, 'Users/ann')
  for (const sub of ['bin', 'jobs']) mkdirSync(join(dir, sub))
  mkdirSync(home, {recursive: true})
  for (const [name, body] of Object.entries(PROGRAMS)) {
    writeFileSync(join(dir, 'bin', name), `#!/bin/sh\n${body}\n`)
    chmodSync(join(dir, 'bin', name), 0o755)
  }
  const env = {PATH: `${join(dir, 'bin')}:${process.env.PATH}`, HOME: home, FAKE: dir}
  const run = (script: string, args: readonly string[] = []) =>
    execFileSync('sh', ['-c', script, 'sh', ...args], {env, encoding: 'utf8', stdio: 'pipe'})
  return {
    home,
    run,
    mark: (name, text = '') => writeFileSync(join(dir, name), text),
    code: (script, args = []) => spawnSync('sh', ['-c', script, 'sh', ...args], {env}).status ?? -1,
    calls: () => run('cat "$FAKE/calls"'),
    close: () => {
      run('for p in $(cat "$FAKE/pids" 2>/dev/null); do kill "$p" 2>/dev/null; done; true')
      rmSync(dir, {recursive: true, force: true})
    },
  }
}
