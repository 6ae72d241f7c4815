# Completes @PROGRAM@ in zsh. Made by `ds01 completion zsh`.
@FUNCTION@() {
    local line="${(j: :)words[1,CURRENT-1]} $PREFIX" row
    local -a part found
    for row in "${(@f)$(_DS01_COMPLETE_LINE=$line $words[1] 2>/dev/null)}"; do
        part=("${(@ps:\t:)row}")
        case $part[1] in
            plain) found+=("${part[2]//:/\\:}:$part[3]") ;;
            dir) _files -/ ;;
            file) _files ;;
            toml) _files -g '*.toml' ;;
        esac
    done
    (( $#found )) && _describe -V '@PROGRAM@' found
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef @FUNCTION@ @PROGRAM@
