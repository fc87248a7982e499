#compdef wardline-sink

autoload -U is-at-least

_wardline-sink() {
    typeset -A opt_args
    typeset -a _arguments_options
    local ret=1

    if is-at-least 5.2; then
        _arguments_options=(-s -S -C)
    else
        _arguments_options=(-s -C)
    fi

    local context curcontext="$curcontext" state line
    _arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
":: :_wardline-sink_commands" \
"*::: :->wardline-sink" \
&& ret=0
    case $state in
    (wardline-sink)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-command-$line[1]:"
        case $line[1] in
            (init)
_arguments "${_arguments_options[@]}" : \
'--folder=[Folder to make it in]:DIR:_files' \
'--broker-host=[Name or address of the broker, as gateways reach it]:BROKER_HOST:_default' \
'--broker-port=[The broker'\''s port]:BROKER_PORT:_default' \
'--view-listen=[Where the page listens; loopback only]:ADDRESS:_default' \
'--name=[This sink'\''s name]:NAME:_default' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(enroll)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--output=[Where to write the grant]:FILE:_files' \
'--new-key[Takes another key of a gateway that is enrolled\: it lost its own. What the old key signed stays valid]' \
'-h[Print help]' \
'--help[Print help]' \
':request -- What `wardline provision` wrote:_files' \
&& ret=0
;;
(run)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(status)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(incidents)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'(--close)--take=[Takes the incident, in this person'\''s name]:NAME:_default' \
'--close=[Closes the incident, in this person'\''s name]:NAME:_default' \
'--note=[What the person says about it]:WORDS:_default' \
'--all[Closed ones, too]' \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help]' \
'--help[Print help]' \
'::id -- One incident with its timeline:_default' \
&& ret=0
;;
(link)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--name=[Whom it is for\: the name that stands in timelines]:NAME:_default' \
'--role=[What they may do]:ROLE:((viewer\:"Sees the line, no patient data; changes nothing"
engineer\:"Takes and closes incidents, too"
auditor\:"Sees the line and who did what; changes nothing"
admin\:"Everything"))' \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(export)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--format=[Format of the files]:FORMAT:((csv\:"One file a signal"))' \
'--device=[The device'\''s EUI-64, 16 hexadecimal digits]:ID:_default' \
'--out=[Folder to write into]:DIR:_files' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(completions)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
':shell -- Which shell:(bash elvish fish powershell zsh)' \
&& ret=0
;;
(man)
_arguments "${_arguments_options[@]}" : \
'--out=[Folder to write into]:DIR:_files' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_wardline-sink__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-help-command-$line[1]:"
        case $line[1] in
            (init)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(enroll)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(run)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(status)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(incidents)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(link)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(export)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(completions)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(man)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
}

(( $+functions[_wardline-sink_commands] )) ||
_wardline-sink_commands() {
    local commands; commands=(
'init:Makes CA, keys, keyring, store and the broker'\''s configuration for a new site' \
'enroll:Answers a gateway'\''s request\: certificate, roots and keyring' \
'run:Receives, verifies, stores and signs until it is stopped' \
'status:Shows the ledger\: what is present, double, missing, linked, forked, held, refused' \
'incidents:Shows what needs a person and what to do; takes an incident or closes it' \
'link:Makes a link to the page that lets one person in, once, within ten minutes' \
'export:Writes a device'\''s readings into files' \
'completions:Prints completions for a shell' \
'man:Writes the manual, one page a command' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline-sink commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__completions_commands] )) ||
_wardline-sink__subcmd__completions_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink completions commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__enroll_commands] )) ||
_wardline-sink__subcmd__enroll_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink enroll commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__export_commands] )) ||
_wardline-sink__subcmd__export_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink export commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help_commands] )) ||
_wardline-sink__subcmd__help_commands() {
    local commands; commands=(
'init:Makes CA, keys, keyring, store and the broker'\''s configuration for a new site' \
'enroll:Answers a gateway'\''s request\: certificate, roots and keyring' \
'run:Receives, verifies, stores and signs until it is stopped' \
'status:Shows the ledger\: what is present, double, missing, linked, forked, held, refused' \
'incidents:Shows what needs a person and what to do; takes an incident or closes it' \
'link:Makes a link to the page that lets one person in, once, within ten minutes' \
'export:Writes a device'\''s readings into files' \
'completions:Prints completions for a shell' \
'man:Writes the manual, one page a command' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline-sink help commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__completions_commands] )) ||
_wardline-sink__subcmd__help__subcmd__completions_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help completions commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__enroll_commands] )) ||
_wardline-sink__subcmd__help__subcmd__enroll_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help enroll commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__export_commands] )) ||
_wardline-sink__subcmd__help__subcmd__export_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help export commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__help_commands] )) ||
_wardline-sink__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help help commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__incidents_commands] )) ||
_wardline-sink__subcmd__help__subcmd__incidents_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help incidents commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__init_commands] )) ||
_wardline-sink__subcmd__help__subcmd__init_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help init commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__link_commands] )) ||
_wardline-sink__subcmd__help__subcmd__link_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help link commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__man_commands] )) ||
_wardline-sink__subcmd__help__subcmd__man_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help man commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__run_commands] )) ||
_wardline-sink__subcmd__help__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help run commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__status_commands] )) ||
_wardline-sink__subcmd__help__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help status commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__incidents_commands] )) ||
_wardline-sink__subcmd__incidents_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink incidents commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__init_commands] )) ||
_wardline-sink__subcmd__init_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink init commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__link_commands] )) ||
_wardline-sink__subcmd__link_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink link commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__man_commands] )) ||
_wardline-sink__subcmd__man_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink man commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__run_commands] )) ||
_wardline-sink__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink run commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__status_commands] )) ||
_wardline-sink__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink status commands' commands "$@"
}

if [ "$funcstack[1]" = "_wardline-sink" ]; then
    _wardline-sink "$@"
else
    compdef _wardline-sink wardline-sink
fi
