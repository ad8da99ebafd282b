# Completion of adit for bash: to /usr/share/bash-completion/completions/adit, or sourced.
# Commands and options are those that the program's own help names, so that none is missing.

# Lines "OPTION|ARGUMENT|OPERANDS" (of -c and --config one each), for what `adit help COMMAND` says:
# what an option is for begins with "(status, endpoints)" where it goes with these operands only.
_adit_options() {
  local line option
  while IFS= read -r line; do
    [[ $line =~ ^\ +((-[A-Za-z]),\ )?(--[a-z-]+)(\ ([A-Z][A-Z=:]*))?(\ +\(([a-z, ]+)\))?(\ |$) ]] || continue
    for option in ${BASH_REMATCH[2]} "${BASH_REMATCH[3]}"; do
      printf '%s|%s|%s\n' "$option" "${BASH_REMATCH[5]}" "${BASH_REMATCH[7]//,/}"
    done
  done <<<"$1"
}

# The words that begin an entry: commands in `adit help`, what ctl can be told in `adit help ctl`.
_adit_entries() {
  local line
  while IFS= read -r line; do
    [[ $line =~ ^\ \ ([a-z]+)\  ]] && printf '%s\n' "${BASH_REMATCH[1]}"
  done <<<"$1"
}

_adit_files() {
  local IFS=$'\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen "$1" -- "$2"))
}

# The words that are neither options nor their arguments, behind the command and before the cursor.
_adit_operands() {
  local i argument
  operands=()
  for ((i = 2; i < COMP_CWORD; i++)); do
    argument=${arguments[${COMP_WORDS[i]}]-}
    if [ -n "$argument" ]; then
      [ "${COMP_WORDS[i + 1]}" = = ] && ((i++))
      ((i++))
    elif [[ ${COMP_WORDS[i]} != -* ]]; then
      operands+=("${COMP_WORDS[i]}")
    fi
  done
}

# The options that go with the first operand; all of them while there is none.
_adit_fitting_options() {
  local option
  for option in "${!arguments[@]}"; do
    [[ -z ${operands[0]-} || -z ${fitting[$option]} || " ${fitting[$option]} " == *" ${operands[0]} "* ]] && printf '%s\n' "$option"
  done
}

# What stands where an operand may: words, or `files`.
_adit_operand_words() {
  case "$command ${operands[*]}" in
    "help ")
      _adit_entries "$("$program" help 2>/dev/null)"
      echo config
      ;;
    "import ") echo ingress-nginx ;;
    "ctl ") _adit_entries "$help" ;;
    "ctl state "*) [ ${#operands[@]} != 2 ] || echo on drain off full file ;; # file: as the file says
    *) [[ $help =~ ^usage:[^$'\n']*(RULES|FILE|LOG)(\.\.\.|…)?\]?($'\n'|$) ]] && echo files ;;
  esac
}

_adit() {
  local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} program=${COMP_WORDS[0]}
  local command=${COMP_WORDS[1]} help option argument words fits
  local -a operands
  local -A arguments=() fitting=()
  COMPREPLY=()
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W "$(_adit_entries "$("$program" help 2>/dev/null)")" -- "$cur"))
    return
  fi
  help=$("$program" help "$command" 2>/dev/null) || return
  while IFS='|' read -r option argument fits; do
    arguments[$option]=$argument fitting[$option]=$fits
  done < <(_adit_options "$help")
  # --config=FILE comes as three words.
  if [ "$cur" = = ]; then
    cur=
  elif [ "$before" = = ]; then
    before=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  case ${arguments[${before:--}]-} in
    FILE) _adit_files -f "$cur" && return ;;
    DIR) _adit_files -d "$cur" && return ;;
    ?*) return ;;
  esac
  _adit_operands
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$(_adit_fitting_options)" -- "$cur"))
    return
  fi
  words=$(_adit_operand_words)
  if [ "$words" = files ]; then
    _adit_files -f "$cur"
  else
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
  fi
}

complete -F _adit adit
