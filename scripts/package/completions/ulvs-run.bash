# ulvs-run [--socket PATH] [--proc FOLDER] COMMAND...: behind its own options the command's completion goes on
_ulvs_run() {
    local at=1
    while [[ $at -lt $COMP_CWORD ]]; do
        case ${COMP_WORDS[at]} in
            --socket | --proc) at=$((at + 2)) ;;
            --*) at=$((at + 1)) ;;
            *)
                _command_offset "$at"
                return
                ;;
        esac
    done
    case ${COMP_WORDS[COMP_CWORD - 1]} in
        --socket | --proc) mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
        *) mapfile -t COMPREPLY < <(compgen -c -W '--socket --proc --help --version' -- "$2") ;;
    esac
}
complete -F _ulvs_run ulvs-run
