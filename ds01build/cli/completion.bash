# Completes @PROGRAM@ in bash. Made by `ds01 completion bash`.
@FUNCTION@() {
    local line=${COMP_LINE:0:COMP_POINT} kind value rest word head
    # bash begins a word after each of @ : = too, and wants no more than what comes after that.
    word=${line##*[[:space:]]}
    head=${word%"$2"}
    COMPREPLY=()
    while IFS=$'\t' read -r kind value rest; do
        case $kind in
            plain) COMPREPLY+=("${value#"$head"}") ;;
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            toml)
                compopt -o filenames
                while IFS= read -r value; do
                    COMPREPLY+=("$value")
                done < <(compgen -f -X '!*.toml' -- "$2"; compgen -d -- "$2")
                ;;
        esac
    done < <(_DS01_COMPLETE_LINE=$line "$1" 2>/dev/null)
}
complete -F @FUNCTION@ @PROGRAM@
