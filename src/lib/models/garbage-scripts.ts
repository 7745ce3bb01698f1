import {script} from './store-scripts.ts'

/**
 * `$1` directory, `$2` minutes. Prints the files that no manifest names and that were not changed for so long, as
 * `garbage=NAME SIZE`. A store in which a manifest cannot be read has no garbage: nobody can tell.
 */
export const LIST_GARBAGE = script`
cd "$1/blobs" 2>/dev/null || { echo end=1; exit 0; }
used=$(find ../manifests -type f -exec cat {} + 2>/dev/null | tr ',{}' '\n\n\n' | sed -n 's/.*"sha256:\([0-9a-f]\{64\}\)".*/\1/p' | sort -u)
find ../manifests -type f ! -readable 2>/dev/null | grep -q . && fail 'a manifest there cannot be read'
find . -type f -mmin +"$2" 2>/dev/null | sed 's:^\./::' | while read -r f; do
  case $f in
    sha256-*[!0-9a-f]* | manifest-*.ollamax) ;;
    sha256-*) case "$used" in *"@{f#sha256-}"*) continue ;; esac ;;
    *) continue ;;
  esac
  echo "garbage=$f $(wc -c <"$f" | tr -d ' ')"
done
echo end=1
`

/** `$1` directory, the rest: names of files to remove, each looked at once more before. Prints `removed=NAME`. */
export const REMOVE_GARBAGE = script`
cd "$1/blobs" || fail 'the directory is not there'
shift
for f; do
  case $f in */*) continue ;; esac
  h=@{f#sha256-}; h=@{h%%[!0-9a-f]*}
  # A file that got its manifest meanwhile is none any more.
  [ "$f" != "sha256-$h" ] || ! grep -rqF "sha256:$h" ../manifests || continue
  rm -f "$f" && echo "removed=$f"
done
`
