#!/bin/sh
# Starts tidegate for a plugin of Claude Code: launch.sh serve CHANNEL --as SERVER
#
# The program takes the place of this shell, with its standard input and its signals. Where no tidegate can be started,
# the shell itself answers as an MCP server that says what to install: a client shows nothing of a server that ends.
#
# POSIX sh without any other program. Standard output belongs to MCP. Each plugin has the same copy of this file.

# The oldest tidegate that takes these arguments.
minimum=0.1.0

set -f
ifs=$IFS
channel=${2:-}
server=${4:-tidegate}
newline='
'

# Is version $1 older than $2? What follows the numbers is not compared.
is_older() {
    ours=${1%%[!0-9.]*} theirs=${2%%[!0-9.]*}
    while [ -n "$ours$theirs" ]; do
        [ "${ours%%.*}0" -lt "${theirs%%.*}0" ] && return 0
        [ "${ours%%.*}0" -gt "${theirs%%.*}0" ] && return 1
        ours=${ours#"${ours%%.*}"} theirs=${theirs#"${theirs%%.*}"}
        ours=${ours#.} theirs=${theirs#.}
    done
    return 1
}

# Sets `trouble` and `file` to what is wrong with the program $1. Succeeds if nothing is.
is_fit() {
    file=$1 version='' said=''
    trouble=is_not_executable
    [ -x "$file" ] || return
    said=$("$file" --version </dev/null 2>&1)
    said=${said%%"$newline"*}
    trouble=does_not_run
    case $said in
        'tidegate '[0-9]*) version=${said#tidegate } ;;
        *) return 1 ;;
    esac
    trouble=is_too_old
    ! is_older "$version" "$minimum"
}

# Sets `program` to the first tidegate that can be started. If there is none, `program` is empty, and `trouble`, `file`,
# `version` and `said` tell of the first that cannot.
find_program() {
    program='' first=''
    IFS=:
    for folder in ${PATH:-} "${CARGO_HOME:-${HOME:-}/.cargo}/bin" "${HOME:-}/.local/bin" "${CLAUDE_PLUGIN_DATA:-}"; do
        IFS=$ifs
        # Not from the folder that the session happens to work in.
        case $folder in
            *[[:cntrl:]]*) continue ;;
            /*) ;;
            *) continue ;;
        esac
        [ -f "$folder/tidegate" ] || continue
        if is_fit "$folder/tidegate"; then
            program=$file
            return
        fi
        [ -n "$first" ] || first=$trouble:$version:$file$newline$said
    done
    IFS=$ifs
    trouble=is_not_installed
    [ -n "$first" ] || return
    said=${first#*"$newline"} first=${first%%"$newline"*}
    trouble=${first%%:*} first=${first#*:}
    version=${first%%:*} file=${first#*:}
}

find_program
[ -z "$program" ] || exec "$program" "$@"

# From here on the shell is the server. Texts are bytes.
LC_ALL=C

# Sets `escaped` to $1 as the inside of a JSON string. Control characters are left out.
escape() {
    escaped='' rest=$1
    while [ -n "$rest" ]; do
        plain=${rest%%[\"\\[:cntrl:]]*}
        rest=${rest#"$plain"}
        escaped=$escaped$plain
        case $rest in
            [[:cntrl:]]*) ;;
            ?*) escaped=$escaped\\${rest%"${rest#?}"} ;;
        esac
        rest=${rest#?}
    done
}

# Sets `sentence`, `title`, `tool` and `steps`: JSON texts that say what is wrong, and what to do about it.
explain() {
    escape "$file"
    file=$escaped
    escape "$said"
    said=$escaped
    escape "$version"
    version=$escaped
    install='1. In a clone of the tidegate repository, with Rust installed, run: cargo xtask build\n'
    install=$install'2. Put the program where this plugin looks for it: mkdir -p ~/.local/bin && cp -f target/release/tidegate ~/.local/bin/\n'
    case $trouble in
        is_not_executable)
            title='tidegate is not executable'
            sentence="$file is not executable."
            install="1. Run: chmod +x '$file'\\n"
            ;;
        does_not_run)
            title='tidegate does not run'
            sentence="$file does not run as tidegate here. It says: ${said:-nothing}"
            ;;
        is_too_old)
            title='tidegate is too old'
            sentence="$file is tidegate $version, and this plugin needs $minimum or later."
            ;;
        *)
            title='tidegate is not installed'
            sentence='tidegate is not installed: it is neither on the PATH of Claude Code nor in ~/.cargo/bin or ~/.local/bin'
            escape "${CLAUDE_PLUGIN_DATA:-}"
            sentence="$sentence${escaped:+, nor in $escaped}."
            ;;
    esac
    tool=tidegate_$trouble
    steps="$sentence\\n\\nWhat the user has to do:\\n$install"
    case $trouble in
        is_not_executable) steps=$steps'2. ' ;;
        *) steps=$steps'3. ' ;;
    esac
    steps=$steps"In Claude Code, open /mcp, choose $server, then Reconnect. This session can go on."
}

# Sets `count` to how many of the characters $1 are in $2.
count_of() {
    IFS=$1
    # shellcheck disable=SC2086 # It is to be split.
    set -- $2.
    IFS=$ifs
    count=$(($# - 1))
}

# The value of a key has ended: notes it if it matters.
note() {
    case $depth/$outer/$key in
        1/id/id) id="\"$text\"" ;;
        1/method/method) method=$text ;;
        2/params/name) name=$text ;;
        2/params/protocolVersion) revision=$text ;;
    esac
    key=
}

# A colon has followed `text`, so that is a key; $1 is what follows the colon, up to the next string.
note_key() {
    key=$text
    [ "$depth" -ne 1 ] || outer=$key
    literal=${1%%[,\}]*}
    literal=${literal#"${literal%%[![:space:]]*}"}
    literal=${literal%"${literal##*[![:space:]]}"}
    # Else its value is the string that follows.
    [ -n "$literal" ] || return
    case $depth/$key in
        1/id) id=$literal ;;
        1/result | 1/error) is_response=yes ;;
    esac
    key=
}

# Reads a JSON object, the line $1, into `id` (as it is written), `method`, `name`, `revision` and `is_response`. Fails
# where it is none.
#
# Between quotes, the pieces of a line lie by turns outside and inside of strings; an odd number of backslashes before
# a quote makes it a part of the string. So the time grows with the length alone, as it does not where a shell cuts off
# one token after the other.
parse() {
    id='' method='' name='' revision='' is_response='' outer='' key='' text='' depth=0 state=first
    case $1 in
        \{*) ;;
        *) return 1 ;;
    esac
    IFS=\"
    # shellcheck disable=SC2086 # It is to be split.
    set -- $1
    IFS=$ifs
    for piece; do
        if [ $state = inside ]; then
            backslashes=
            case $piece in
                *\\) backslashes=${piece##*[!\\]} ;;
            esac
            if [ $((${#backslashes} % 2)) -eq 1 ]; then
                piece=$piece\"
            else
                state=outside
            fi
            # What is longer than this is no id and no name, and to add to it again and again would take long.
            [ ${#text} -gt 1000 ] || text=$text$piece
            continue
        fi
        if [ $state = outside ]; then
            after=${piece#"${piece%%[![:space:]]*}"}
            case $after in
                :*) note_key "${after#:}" ;;
                *) [ -z "$key" ] || note ;;
            esac
        fi
        case $piece in
            *[][{}]*)
                count_of '{[' "$piece"
                depth=$((depth + count))
                count_of '}]' "$piece"
                depth=$((depth - count))
                ;;
        esac
        state=inside text=
    done
    [ "$depth" -eq 0 ]
}

result() {
    printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"
}

error() {
    printf '{"jsonrpc":"2.0","id":%s,"error":{"code":%s,"message":"%s"}}\n' "$id" "$1" "$2"
}

# $1 is a JSON text, $2 whether the call has failed.
call_result() {
    result "{\"content\":[{\"type\":\"text\",\"text\":\"$1\"}],\"isError\":$2}"
}

initialize() {
    case $revision in
        2024-11-05 | 2025-03-26 | 2025-06-18) ;;
        *) revision=2025-11-25 ;;
    esac
    said="The channel $channel does not work at the moment: no message arrives, and none can be sent. Tell your user so once, with what they have to do about it.\\n\\n$steps"
    result "{\"protocolVersion\":\"$revision\",\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"tidegate\",\"title\":\"$title\",\"version\":\"$minimum\"},\"instructions\":\"$said\"}"
}

list_tools() {
    said="$sentence The channel $channel does not work without it. Returns the steps that mend this. /mcp, Reconnect is enough afterwards."
    result "{\"tools\":[{\"name\":\"$tool\",\"title\":\"$title\",\"description\":\"$said\",\"inputSchema\":{\"type\":\"object\",\"properties\":{}},\"annotations\":{\"title\":\"$title\",\"readOnlyHint\":true,\"openWorldHint\":false},\"_meta\":{\"anthropic/alwaysLoad\":true}}]}"
}

# Looks again: the person may have done something about it.
call_tool() {
    listed=$tool
    find_program
    if [ -n "$program" ]; then
        call_result "tidegate is installed now. To use it: in Claude Code, open /mcp, choose $server, then Reconnect." false
        return
    fi
    explain
    if [ "$name" = "$listed" ]; then
        call_result "$steps" false
    else
        call_result "There is no such tool as long as the channel $channel does not work. $steps" true
    fi
}

answer() {
    case $id in
        '') [ -n "$method$is_response" ] || id=null ;;
        \"*) [ ${#id} -le 1000 ] || id=null ;;
        *[!-+.0-9Ee]*) id=null ;;
    esac
    [ -z "$is_response" ] || return
    if [ "$id" = null ] || [ -z "$method" ]; then
        error -32600 'not a request: it needs a method, and an id that is a number or a text'
        return
    fi
    # A notification.
    [ -n "$id" ] || return
    case $method in
        initialize) initialize ;;
        ping) result '{}' ;;
        tools/list) list_tools ;;
        tools/call) call_tool ;;
        *) error -32601 "$title: there is no such method" ;;
    esac
}

escape "$channel"
channel=$escaped
escape "$server"
server=$escaped
explain
printf '%s\n' "$title: a tool of this server says what to do" >&2

while IFS= read -r line || [ -n "$line" ]; do
    # Also a line of spaces, or the end of one on Windows.
    case $line in
        *[![:space:]]*) ;;
        *) continue ;;
    esac
    if parse "${line#"${line%%[![:space:]]*}"}"; then
        answer
    else
        id=null
        error -32700 'not a JSON object on one line'
    fi
done
exit 0
