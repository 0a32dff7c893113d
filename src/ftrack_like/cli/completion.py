"""`ftrack-like completion`: print the script that lets a shell complete commands."""

from __future__ import annotations

import argparse
import re

from ftrack_like.cli._errors import UsageMistake

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "print a script that completes commands in bash, zsh or fish"

_BASH = """\
# Completion of ftrack-like. In ~/.bashrc:  eval "$(ftrack-like completion bash)"
_ftrack_like() {
    local IFS=$'\\n' line
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            :files)
                compopt -o filenames 2>/dev/null
                COMPREPLY+=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]#[@=]}"))
                ;;
            :nospace) compopt -o nospace 2>/dev/null ;;
            :names) compopt -o filenames 2>/dev/null ;;
            *) COMPREPLY+=("${line%%$'\\t'*}") ;;
        esac
    done < <("${COMP_WORDS[0]}" completion --answer bash \\
        "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _ftrack_like ftrack-like
"""

_ZSH = """\
#compdef ftrack-like
# Completion of ftrack-like. In ~/.zshrc, after compinit:  eval "$(ftrack-like completion zsh)"
_ftrack_like() {
    local -a values no_space
    local line files
    for line in "${(@f)$("${words[1]}" completion --answer zsh \\
            "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        case $line in
            '') ;;
            :files) files=1 ;;
            :nospace) no_space=(-S '') ;;
            :names) ;;
            *) values+=("${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}") ;;
        esac
    done
    (( $#values )) && _describe -t values value values $no_space
    [[ -n $files ]] && _files
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _ftrack_like "$@"
else
    compdef _ftrack_like ftrack-like
fi
"""

_FISH = """\
# Completion of ftrack-like. Save as ~/.config/fish/completions/ftrack-like.fish
function __ftrack_like_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in ($words[1] completion --answer fish $words[2..-1] "$current" 2>/dev/null)
        switch $line
            case ':files'
                __fish_complete_path "$current"
            case ':nospace' ':names'
            case '*'
                echo $line
        end
    end
end
complete -c ftrack-like -f -a '(__ftrack_like_complete)'
"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    parser.description = (
        "Print a script that completes commands, options, types, attributes and names. Types and "
        "attributes come from the schemas that the last session stored. The names of statuses, "
        "types, projects, review sessions, users and custom attributes come from the server; they "
        "are kept for five minutes, and a server that does not answer at once gives none. In "
        '~/.bashrc or ~/.zshrc: eval "$(ftrack-like completion bash)" (or zsh). For fish: '
        "ftrack-like completion fish > ~/.config/fish/completions/ftrack-like.fish"
    )
    parser.add_argument("shell", nargs="?", choices=tuple(_SCRIPTS), help="the shell")
    # For "--answer" and the words of a line, the arguments do not come from this parser.
    parser.set_defaults(answer=None)


def run(arguments: argparse.Namespace) -> int:
    """Print the script, or the candidates for a line; return the exit status.

    For candidates, *answer* in *arguments* is the name of the shell, then the words up to the
    cursor. The scripts ask like this.
    """
    if arguments.answer is not None:
        _answer(*_split_answer(arguments.answer))
        return 0
    if arguments.shell is None:
        raise UsageMistake("Name the shell: bash, zsh or fish.")
    print(_SCRIPTS[arguments.shell], end="")
    return 0


def _split_answer(words: list[str]) -> tuple[str, list[str]]:
    """Return the shell and the words of the line; bash makes a word of each ``=`` of its own."""
    shell, *line = words or [""]
    if shell != "fish":  # fish has removed quotes and backslashes already.
        line = [_shell_word(word) for word in line]
    if shell != "bash":
        return shell, line
    joined: list[str] = []
    for word in line:
        if joined and (word == "=" or joined[-1].endswith("=")):
            joined[-1] += word
        else:
            joined.append(word)
    return shell, joined


def _shell_word(word: str) -> str:
    """Return *word* as the shell will read it: a quote may still be open."""
    if word[:1] in ("'", '"'):
        quote = word[0]
        word = word[1:-1] if len(word) > 1 and word.endswith(quote) else word[1:]
        return word if quote == "'" else re.sub(r'\\(["\\$`])', r"\1", word)
    return re.sub(r"\\(.)", r"\1", word)


def _answer(shell: str, words: list[str]) -> None:
    """Print the candidates for the last of *words*, one a line, with a tab before descriptions."""
    from ftrack_like.cli._completion import complete  # lazy: it needs all commands

    current = words[-1] if words else ""
    # bash replaces only the part after the last character that breaks words.
    cut = max(current.rfind("="), current.rfind(":")) + 1 if shell == "bash" else 0
    for word, description in complete(words):
        if word.startswith(":"):
            print(word)
        else:
            print(f"{word[cut:]}\t{description}")
