# bash completion of pobpf                                    -*- shell-script -*-
# pobpf itself knows its options and the names of this kernel: "pobpf __complete".

_pobpf() {
  local cur words cword
  # words as pobpf gets them, which "=" and ":" do not end
  if declare -F _comp_get_words >/dev/null; then
    _comp_get_words -n =: cur words cword
  else
    _get_comp_words_by_ref -n =: cur words cword
  fi

  local -a answer
  mapfile -t answer < <("$1" __complete "${words[@]:1:cword}" 2>/dev/null)
  COMPREPLY=("${answer[@]:1}")
  COMPREPLY=("${COMPREPLY[@]%%$'\t'*}")

  local file=$cur
  [[ $cur == -*=* ]] && file=${cur#*=}
  case ${answer[0]-} in
    files)
      compopt -o filenames
      mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$file")
      ;;
    directories)
      compopt -o filenames
      mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$file")
      ;;
    unfinished) compopt -o nospace ;;
  esac

  # readline puts in place what stands behind the last of these only
  local breaks=${COMP_WORDBREAKS//[^=:]/}
  if [[ -n $breaks && $cur == *["$breaks"]* ]]; then
    local before=${cur%"${cur##*["$breaks"]}"}
    COMPREPLY=("${COMPREPLY[@]#"$before"}")
  fi
}
complete -F _pobpf pobpf
