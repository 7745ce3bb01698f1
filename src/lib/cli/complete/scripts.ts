/** Shells that are helped at the Tab key. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

/**
 * What each shell has to know: whom to ask. What can be completed is not in here, so a script stays right when ollamax
 * is upgraded.
 */
export const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# Completion of ollamax for bash (4.1 or later), from: ollamax completion bash
_ollamax() {
  local head value
  COMPREPLY=()
  {
    read -r head || return 0
    case $head in
      files*) compopt -o default 2>/dev/null; return 0 ;;
      parts*) compopt -o nospace 2>/dev/null ;;
    esac
    while IFS= read -r value; do COMPREPLY+=("$value"); done
  } < <(command ollamax complete bash "\${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
}
complete -F _ollamax ollamax
`,
  zsh: `#compdef ollamax
# Completion of ollamax for zsh, from: ollamax completion zsh
_ollamax() {
  local -a lines values
  local line value about tab=$'\\t'
  lines=("\${(@f)$(command ollamax complete zsh "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2>/dev/null)}")
  [[ -n $lines[1] ]] || return 1
  local kept=\${lines[1]#* }
  (( kept == 0 )) || compset -p $kept
  if [[ $lines[1] == files* ]]; then
    _files
    return
  fi
  for line in "\${(@)lines[2,-1]}"; do
    value=\${line%%$tab*} about=\${line#*$tab}
    values+=("\${\${value//\\\\/\\\\\\\\}//:/\\\\:}\${about:+:$about}")
  done
  if [[ $lines[1] == parts* ]]; then
    _describe -t values value values -S ''
  else
    _describe -t values value values
  fi
}
if [[ $funcstack[1] == _ollamax ]]; then
  _ollamax "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
  compdef _ollamax ollamax
fi
`,
  fish: `# Completion of ollamax for fish, from: ollamax completion fish
function __ollamax_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l plain (string unescape -- $word; or string trim --left --chars='"\\'' -- $word)
    set -l lines (command ollamax complete fish $words[2..-1] "$plain" 2>/dev/null)
    set -q lines[1]; or return
    set -l head (string split ' ' -- $lines[1])
    if test $head[1] = files
        set -l kept (string sub --length $head[2] -- "$plain")
        set -l start (math $head[2] + 1)
        for path in (complete -C "__ollamax_no_such_command "(string sub --start $start -- $word))
            echo $kept$path
        end
    else
        printf '%s\\n' $lines[2..-1]
    end
end
complete -c ollamax -f -a '(__ollamax_complete)'
`,
}
