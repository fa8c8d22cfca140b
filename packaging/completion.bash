# Words of bulkhead(1), asked of the program itself, so that they are those of its version.
_bulkhead() {
  local current=$2 command=${COMP_WORDS[1]} help
  if [ "$COMP_CWORD" = 1 ]; then
    help=$(bulkhead --help 2>/dev/null | sed -n 's/^  \([a-z]\+\) .*/\1/p')
    mapfile -t COMPREPLY < <(compgen -W "$help --help --version" -- "$current")
    return
  fi
  case $3 in
    --config|--dir|--key|--public-key|--checkpoints)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return ;;
  esac
  help=$(bulkhead "$command" --help 2>/dev/null)
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(sed -n 's/^  \(--[a-z-]\+\).*/\1/p' <<<"$help") --help" -- "$current")
  elif [ "$COMP_CWORD" = 2 ]; then
    # What its first line offers: "usage: bulkhead image import FILE | list | ..."
    mapfile -t COMPREPLY < <(compgen -W "$(sed -n '1s/usage: bulkhead [a-z]* //p' <<<"$help" | tr '|[]' '\n\n\n' |
      sed -n 's/^ *\([a-z][a-z-]*\).*/\1/p')" -- "$current")
  fi
  [ ${#COMPREPLY[@]} != 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "$current")
}
complete -F _bulkhead bulkhead
