#compdef wardline

autoload -U is-at-least

_wardline() {
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
":: :_wardline_commands" \
"*::: :->wardline" \
&& ret=0
    case $state in
    (wardline)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-command-$line[1]:"
        case $line[1] in
            (init)
_arguments "${_arguments_options[@]}" : \
'--gateway=[The gateway'\''s name]:GATEWAY:_default' \
'--broker=[Name or address of the broker]:BROKER:_default' \
'--output=[Where to write it]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(provision)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'(--sink --from --renew)--grant=[What \`wardline-sink enroll\` answered]:FILE:_files' \
'--request=[Where to write the request]:FILE:_files' \
'--sink=[The sink'\''s enrolment endpoint; asked with the token of --token]:URL:_default' \
'--token=[What \`wardline-sink enroll --token\` has printed]:TOKEN:_default' \
'(--sink)--from=[A file of \`wardline-sink enroll --batch\`\: gateway, broker, endpoint and token. Writes the configuration, too, if there is none]:FILE:_files' \
'(--sink --from)--renew[Asks the endpoint for a new certificate now, by the key that is enrolled]' \
'(--sink --from --grant)--rotate[Lets another signing key follow\: the present one names it in the request. It speaks from the next start on; what the old one signed stays valid]' \
'--new-roots[The grant may bring other roots than those that this gateway believes\: the site was made anew]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(check)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--no-env[Looks at files only\: neither at the broker nor at the clock]' \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help]' \
'--help[Print help]' \
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
'-w[Shows it again each second, until it is interrupted]' \
'--watch[Shows it again each second, until it is interrupted]' \
'--json[One line of JSON with "schema"\: 1; with --watch, one each second]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(doctor)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--check=[One check only, by its name or code]:NAME:_default' \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(tap)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--phi[With the values. They are a patient'\''s\: the look is logged and reported to the sink, which writes it into its audit trail]' \
'--json[One line of JSON for each, with "schema"\: 1]' \
'-h[Print help]' \
'--help[Print help]' \
'::device -- Only this device\: its EUI-64, 16 hexadecimal digits:_default' \
&& ret=0
;;
(device)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
":: :_wardline__subcmd__device_commands" \
"*::: :->device" \
&& ret=0

    case $state in
    (device)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-device-command-$line[1]:"
        case $line[1] in
            (ls)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(add)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--key-file=[The key that it has\: 64 hexadecimal digits in a file. Without this a new one is printed, once, to be written into the device]:FILE:_files' \
'--replace[Takes the place of a key that is there]' \
'-h[Print help]' \
'--help[Print help]' \
':device -- Its EUI-64, 16 hexadecimal digits:_default' \
&& ret=0
;;
(remove)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
':device -- Its EUI-64, 16 hexadecimal digits:_default' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_wardline__subcmd__device__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-device-help-command-$line[1]:"
        case $line[1] in
            (ls)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(add)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(remove)
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
;;
(patient)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
":: :_wardline__subcmd__patient_commands" \
"*::: :->patient" \
&& ret=0

    case $state in
    (patient)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-patient-command-$line[1]:"
        case $line[1] in
            (begin)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--by=[Who says so]:NAME:_default' \
'--authority=[Who gives the identifier, as in PID-3.4]:NAME:_default' \
'-h[Print help]' \
'--help[Print help]' \
':device -- The device'\''s EUI-64, 16 hexadecimal digits:_default' \
&& ret=0
;;
(end)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--by=[Who says so]:NAME:_default' \
'-h[Print help]' \
'--help[Print help]' \
':device -- The device'\''s EUI-64, 16 hexadecimal digits:_default' \
&& ret=0
;;
(ls)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_wardline__subcmd__patient__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-patient-help-command-$line[1]:"
        case $line[1] in
            (begin)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(end)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(ls)
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
;;
(audit)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--last=[Entries to show\: the newest]:LAST:_default' \
'--verify[Checks signatures and hashes of all that is kept, and says the head\: who keeps that elsewhere sees a cut end, too. Exit code 1 if anything does not hold]' \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(test-send)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--wait=[Longest wait for each hop, seconds]:WAIT:_default' \
'--json[A line of JSON with "schema"\: 1 for each hop]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(diag)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--output=[Where it is written]:FILE:_files' \
'--list[Only lists what would go into it]' \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(log)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
":: :_wardline__subcmd__log_commands" \
"*::: :->log" \
&& ret=0

    case $state in
    (log)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-log-command-$line[1]:"
        case $line[1] in
            (ls)
_arguments "${_arguments_options[@]}" : \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help]' \
'--help[Print help]' \
':folder -- Folder of segment files:_files' \
&& ret=0
;;
(verify)
_arguments "${_arguments_options[@]}" : \
'--key=[The gateway'\''s public key, 64 hexadecimal digits; without it signatures are not checked]:HEX:_default' \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help]' \
'--help[Print help]' \
':folder -- Folder of segment files:_files' \
&& ret=0
;;
(export)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--output=[Where they are written; the standard output without it]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
':folder -- Folder of segment files. If it is that of the gateway of --config, or an agent runs beside it, the gateway'\''s audit trail says that they were written out:_files' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_wardline__subcmd__log__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-log-help-command-$line[1]:"
        case $line[1] in
            (ls)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(verify)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(export)
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
;;
(verify-evidence)
_arguments "${_arguments_options[@]}" : \
'*--root=[A root key of the site, 64 hexadecimal digits, once for each\: those that the bundle names are only believed if they are these. Without it, compare the words that are printed]:KEY:_default' \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help]' \
'--help[Print help]' \
':file -- The bundle:_files' \
&& ret=0
;;
(erase)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--reason=[Why\: it stands in the proof]:REASON:_default' \
'--proof=[Where to write the proof]:FILE:_files' \
'--yes[Erases without asking back]' \
'--even-undeclared[Erases although the sink cannot be told what is gone\: the proof alone says it then]' \
'-h[Print help]' \
'--help[Print help]' \
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
(schema)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_wardline__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-help-command-$line[1]:"
        case $line[1] in
            (init)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(provision)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(check)
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
(doctor)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(tap)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(device)
_arguments "${_arguments_options[@]}" : \
":: :_wardline__subcmd__help__subcmd__device_commands" \
"*::: :->device" \
&& ret=0

    case $state in
    (device)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-help-device-command-$line[1]:"
        case $line[1] in
            (ls)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(add)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(remove)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(patient)
_arguments "${_arguments_options[@]}" : \
":: :_wardline__subcmd__help__subcmd__patient_commands" \
"*::: :->patient" \
&& ret=0

    case $state in
    (patient)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-help-patient-command-$line[1]:"
        case $line[1] in
            (begin)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(end)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(ls)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(audit)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(test-send)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(diag)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(log)
_arguments "${_arguments_options[@]}" : \
":: :_wardline__subcmd__help__subcmd__log_commands" \
"*::: :->log" \
&& ret=0

    case $state in
    (log)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-help-log-command-$line[1]:"
        case $line[1] in
            (ls)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(verify)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(export)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(verify-evidence)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(erase)
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
(schema)
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

(( $+functions[_wardline_commands] )) ||
_wardline_commands() {
    local commands; commands=(
'init:Writes a commented configuration' \
'provision:Makes the gateway'\''s keys and a request; with --grant installs what the sink answered' \
'check:Checks configuration, keys, dates, storage, ports and broker; exit code 78 when it fails' \
'run:Collects, seals, keeps and sends until it is stopped' \
'status:Shows the state of the running agent' \
'doctor:Looks at everything within five seconds\: pass, warn, fail or skip, each with a remedy' \
'tap:Shows what devices say, live and before it is sealed; values only with --phi' \
'device:Lists the devices that speak at this gateway' \
'patient:Says whom a device measures, from now on; identifiers are replaced before they are kept' \
'audit:Shows what happened to this gateway, by its own signed trail, and checks that' \
'test-send:Sends one marked reading through the whole line and says how long each hop took' \
'diag:Packs what helps to find a fault\: no secret, no reading; lists it first' \
'log:Looks into a buffer folder; needs public keys only' \
'verify-evidence:Checks a bundle of evidence, offline, with public keys alone' \
'erase:Makes everything that is buffered here unreadable for good, and leaves a signed proof' \
'completions:Prints completions for a shell' \
'man:Writes the manual, one page a command' \
'schema:Prints the JSON Schema of the configuration, for editors' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline commands' commands "$@"
}
(( $+functions[_wardline__subcmd__audit_commands] )) ||
_wardline__subcmd__audit_commands() {
    local commands; commands=()
    _describe -t commands 'wardline audit commands' commands "$@"
}
(( $+functions[_wardline__subcmd__check_commands] )) ||
_wardline__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'wardline check commands' commands "$@"
}
(( $+functions[_wardline__subcmd__completions_commands] )) ||
_wardline__subcmd__completions_commands() {
    local commands; commands=()
    _describe -t commands 'wardline completions commands' commands "$@"
}
(( $+functions[_wardline__subcmd__device_commands] )) ||
_wardline__subcmd__device_commands() {
    local commands; commands=(
'ls:Lists devices\: those that have spoken since the agent was started, and those that have a key' \
'add:Gives a device a key, so that it must prove itself; makes one and prints it, or takes one' \
'remove:Forgets a device'\''s key' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline device commands' commands "$@"
}
(( $+functions[_wardline__subcmd__device__subcmd__add_commands] )) ||
_wardline__subcmd__device__subcmd__add_commands() {
    local commands; commands=()
    _describe -t commands 'wardline device add commands' commands "$@"
}
(( $+functions[_wardline__subcmd__device__subcmd__help_commands] )) ||
_wardline__subcmd__device__subcmd__help_commands() {
    local commands; commands=(
'ls:Lists devices\: those that have spoken since the agent was started, and those that have a key' \
'add:Gives a device a key, so that it must prove itself; makes one and prints it, or takes one' \
'remove:Forgets a device'\''s key' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline device help commands' commands "$@"
}
(( $+functions[_wardline__subcmd__device__subcmd__help__subcmd__add_commands] )) ||
_wardline__subcmd__device__subcmd__help__subcmd__add_commands() {
    local commands; commands=()
    _describe -t commands 'wardline device help add commands' commands "$@"
}
(( $+functions[_wardline__subcmd__device__subcmd__help__subcmd__help_commands] )) ||
_wardline__subcmd__device__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'wardline device help help commands' commands "$@"
}
(( $+functions[_wardline__subcmd__device__subcmd__help__subcmd__ls_commands] )) ||
_wardline__subcmd__device__subcmd__help__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline device help ls commands' commands "$@"
}
(( $+functions[_wardline__subcmd__device__subcmd__help__subcmd__remove_commands] )) ||
_wardline__subcmd__device__subcmd__help__subcmd__remove_commands() {
    local commands; commands=()
    _describe -t commands 'wardline device help remove commands' commands "$@"
}
(( $+functions[_wardline__subcmd__device__subcmd__ls_commands] )) ||
_wardline__subcmd__device__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline device ls commands' commands "$@"
}
(( $+functions[_wardline__subcmd__device__subcmd__remove_commands] )) ||
_wardline__subcmd__device__subcmd__remove_commands() {
    local commands; commands=()
    _describe -t commands 'wardline device remove commands' commands "$@"
}
(( $+functions[_wardline__subcmd__diag_commands] )) ||
_wardline__subcmd__diag_commands() {
    local commands; commands=()
    _describe -t commands 'wardline diag commands' commands "$@"
}
(( $+functions[_wardline__subcmd__doctor_commands] )) ||
_wardline__subcmd__doctor_commands() {
    local commands; commands=()
    _describe -t commands 'wardline doctor commands' commands "$@"
}
(( $+functions[_wardline__subcmd__erase_commands] )) ||
_wardline__subcmd__erase_commands() {
    local commands; commands=()
    _describe -t commands 'wardline erase commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help_commands] )) ||
_wardline__subcmd__help_commands() {
    local commands; commands=(
'init:Writes a commented configuration' \
'provision:Makes the gateway'\''s keys and a request; with --grant installs what the sink answered' \
'check:Checks configuration, keys, dates, storage, ports and broker; exit code 78 when it fails' \
'run:Collects, seals, keeps and sends until it is stopped' \
'status:Shows the state of the running agent' \
'doctor:Looks at everything within five seconds\: pass, warn, fail or skip, each with a remedy' \
'tap:Shows what devices say, live and before it is sealed; values only with --phi' \
'device:Lists the devices that speak at this gateway' \
'patient:Says whom a device measures, from now on; identifiers are replaced before they are kept' \
'audit:Shows what happened to this gateway, by its own signed trail, and checks that' \
'test-send:Sends one marked reading through the whole line and says how long each hop took' \
'diag:Packs what helps to find a fault\: no secret, no reading; lists it first' \
'log:Looks into a buffer folder; needs public keys only' \
'verify-evidence:Checks a bundle of evidence, offline, with public keys alone' \
'erase:Makes everything that is buffered here unreadable for good, and leaves a signed proof' \
'completions:Prints completions for a shell' \
'man:Writes the manual, one page a command' \
'schema:Prints the JSON Schema of the configuration, for editors' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline help commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__audit_commands] )) ||
_wardline__subcmd__help__subcmd__audit_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help audit commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__check_commands] )) ||
_wardline__subcmd__help__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help check commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__completions_commands] )) ||
_wardline__subcmd__help__subcmd__completions_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help completions commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__device_commands] )) ||
_wardline__subcmd__help__subcmd__device_commands() {
    local commands; commands=(
'ls:Lists devices\: those that have spoken since the agent was started, and those that have a key' \
'add:Gives a device a key, so that it must prove itself; makes one and prints it, or takes one' \
'remove:Forgets a device'\''s key' \
    )
    _describe -t commands 'wardline help device commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__device__subcmd__add_commands] )) ||
_wardline__subcmd__help__subcmd__device__subcmd__add_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help device add commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__device__subcmd__ls_commands] )) ||
_wardline__subcmd__help__subcmd__device__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help device ls commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__device__subcmd__remove_commands] )) ||
_wardline__subcmd__help__subcmd__device__subcmd__remove_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help device remove commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__diag_commands] )) ||
_wardline__subcmd__help__subcmd__diag_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help diag commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__doctor_commands] )) ||
_wardline__subcmd__help__subcmd__doctor_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help doctor commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__erase_commands] )) ||
_wardline__subcmd__help__subcmd__erase_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help erase commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__help_commands] )) ||
_wardline__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help help commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__init_commands] )) ||
_wardline__subcmd__help__subcmd__init_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help init commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__log_commands] )) ||
_wardline__subcmd__help__subcmd__log_commands() {
    local commands; commands=(
'ls:Lists the segments of a folder, one a line' \
'verify:Checks checksums, chain and signatures; exit code 1 and the first bad frame if any fails' \
'export:Writes the sealed records as lines of JSON' \
    )
    _describe -t commands 'wardline help log commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__log__subcmd__export_commands] )) ||
_wardline__subcmd__help__subcmd__log__subcmd__export_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help log export commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__log__subcmd__ls_commands] )) ||
_wardline__subcmd__help__subcmd__log__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help log ls commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__log__subcmd__verify_commands] )) ||
_wardline__subcmd__help__subcmd__log__subcmd__verify_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help log verify commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__man_commands] )) ||
_wardline__subcmd__help__subcmd__man_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help man commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__patient_commands] )) ||
_wardline__subcmd__help__subcmd__patient_commands() {
    local commands; commands=(
'begin:A device measures this patient from now on; the identifier is read from standard input' \
'end:A device measures nobody from now on' \
'ls:Lists devices with a patient, and who said so; never whom' \
    )
    _describe -t commands 'wardline help patient commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__patient__subcmd__begin_commands] )) ||
_wardline__subcmd__help__subcmd__patient__subcmd__begin_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help patient begin commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__patient__subcmd__end_commands] )) ||
_wardline__subcmd__help__subcmd__patient__subcmd__end_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help patient end commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__patient__subcmd__ls_commands] )) ||
_wardline__subcmd__help__subcmd__patient__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help patient ls commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__provision_commands] )) ||
_wardline__subcmd__help__subcmd__provision_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help provision commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__run_commands] )) ||
_wardline__subcmd__help__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help run commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__schema_commands] )) ||
_wardline__subcmd__help__subcmd__schema_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help schema commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__status_commands] )) ||
_wardline__subcmd__help__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help status commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__tap_commands] )) ||
_wardline__subcmd__help__subcmd__tap_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help tap commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__test-send_commands] )) ||
_wardline__subcmd__help__subcmd__test-send_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help test-send commands' commands "$@"
}
(( $+functions[_wardline__subcmd__help__subcmd__verify-evidence_commands] )) ||
_wardline__subcmd__help__subcmd__verify-evidence_commands() {
    local commands; commands=()
    _describe -t commands 'wardline help verify-evidence commands' commands "$@"
}
(( $+functions[_wardline__subcmd__init_commands] )) ||
_wardline__subcmd__init_commands() {
    local commands; commands=()
    _describe -t commands 'wardline init commands' commands "$@"
}
(( $+functions[_wardline__subcmd__log_commands] )) ||
_wardline__subcmd__log_commands() {
    local commands; commands=(
'ls:Lists the segments of a folder, one a line' \
'verify:Checks checksums, chain and signatures; exit code 1 and the first bad frame if any fails' \
'export:Writes the sealed records as lines of JSON' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline log commands' commands "$@"
}
(( $+functions[_wardline__subcmd__log__subcmd__export_commands] )) ||
_wardline__subcmd__log__subcmd__export_commands() {
    local commands; commands=()
    _describe -t commands 'wardline log export commands' commands "$@"
}
(( $+functions[_wardline__subcmd__log__subcmd__help_commands] )) ||
_wardline__subcmd__log__subcmd__help_commands() {
    local commands; commands=(
'ls:Lists the segments of a folder, one a line' \
'verify:Checks checksums, chain and signatures; exit code 1 and the first bad frame if any fails' \
'export:Writes the sealed records as lines of JSON' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline log help commands' commands "$@"
}
(( $+functions[_wardline__subcmd__log__subcmd__help__subcmd__export_commands] )) ||
_wardline__subcmd__log__subcmd__help__subcmd__export_commands() {
    local commands; commands=()
    _describe -t commands 'wardline log help export commands' commands "$@"
}
(( $+functions[_wardline__subcmd__log__subcmd__help__subcmd__help_commands] )) ||
_wardline__subcmd__log__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'wardline log help help commands' commands "$@"
}
(( $+functions[_wardline__subcmd__log__subcmd__help__subcmd__ls_commands] )) ||
_wardline__subcmd__log__subcmd__help__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline log help ls commands' commands "$@"
}
(( $+functions[_wardline__subcmd__log__subcmd__help__subcmd__verify_commands] )) ||
_wardline__subcmd__log__subcmd__help__subcmd__verify_commands() {
    local commands; commands=()
    _describe -t commands 'wardline log help verify commands' commands "$@"
}
(( $+functions[_wardline__subcmd__log__subcmd__ls_commands] )) ||
_wardline__subcmd__log__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline log ls commands' commands "$@"
}
(( $+functions[_wardline__subcmd__log__subcmd__verify_commands] )) ||
_wardline__subcmd__log__subcmd__verify_commands() {
    local commands; commands=()
    _describe -t commands 'wardline log verify commands' commands "$@"
}
(( $+functions[_wardline__subcmd__man_commands] )) ||
_wardline__subcmd__man_commands() {
    local commands; commands=()
    _describe -t commands 'wardline man commands' commands "$@"
}
(( $+functions[_wardline__subcmd__patient_commands] )) ||
_wardline__subcmd__patient_commands() {
    local commands; commands=(
'begin:A device measures this patient from now on; the identifier is read from standard input' \
'end:A device measures nobody from now on' \
'ls:Lists devices with a patient, and who said so; never whom' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline patient commands' commands "$@"
}
(( $+functions[_wardline__subcmd__patient__subcmd__begin_commands] )) ||
_wardline__subcmd__patient__subcmd__begin_commands() {
    local commands; commands=()
    _describe -t commands 'wardline patient begin commands' commands "$@"
}
(( $+functions[_wardline__subcmd__patient__subcmd__end_commands] )) ||
_wardline__subcmd__patient__subcmd__end_commands() {
    local commands; commands=()
    _describe -t commands 'wardline patient end commands' commands "$@"
}
(( $+functions[_wardline__subcmd__patient__subcmd__help_commands] )) ||
_wardline__subcmd__patient__subcmd__help_commands() {
    local commands; commands=(
'begin:A device measures this patient from now on; the identifier is read from standard input' \
'end:A device measures nobody from now on' \
'ls:Lists devices with a patient, and who said so; never whom' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline patient help commands' commands "$@"
}
(( $+functions[_wardline__subcmd__patient__subcmd__help__subcmd__begin_commands] )) ||
_wardline__subcmd__patient__subcmd__help__subcmd__begin_commands() {
    local commands; commands=()
    _describe -t commands 'wardline patient help begin commands' commands "$@"
}
(( $+functions[_wardline__subcmd__patient__subcmd__help__subcmd__end_commands] )) ||
_wardline__subcmd__patient__subcmd__help__subcmd__end_commands() {
    local commands; commands=()
    _describe -t commands 'wardline patient help end commands' commands "$@"
}
(( $+functions[_wardline__subcmd__patient__subcmd__help__subcmd__help_commands] )) ||
_wardline__subcmd__patient__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'wardline patient help help commands' commands "$@"
}
(( $+functions[_wardline__subcmd__patient__subcmd__help__subcmd__ls_commands] )) ||
_wardline__subcmd__patient__subcmd__help__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline patient help ls commands' commands "$@"
}
(( $+functions[_wardline__subcmd__patient__subcmd__ls_commands] )) ||
_wardline__subcmd__patient__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline patient ls commands' commands "$@"
}
(( $+functions[_wardline__subcmd__provision_commands] )) ||
_wardline__subcmd__provision_commands() {
    local commands; commands=()
    _describe -t commands 'wardline provision commands' commands "$@"
}
(( $+functions[_wardline__subcmd__run_commands] )) ||
_wardline__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'wardline run commands' commands "$@"
}
(( $+functions[_wardline__subcmd__schema_commands] )) ||
_wardline__subcmd__schema_commands() {
    local commands; commands=()
    _describe -t commands 'wardline schema commands' commands "$@"
}
(( $+functions[_wardline__subcmd__status_commands] )) ||
_wardline__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'wardline status commands' commands "$@"
}
(( $+functions[_wardline__subcmd__tap_commands] )) ||
_wardline__subcmd__tap_commands() {
    local commands; commands=()
    _describe -t commands 'wardline tap commands' commands "$@"
}
(( $+functions[_wardline__subcmd__test-send_commands] )) ||
_wardline__subcmd__test-send_commands() {
    local commands; commands=()
    _describe -t commands 'wardline test-send commands' commands "$@"
}
(( $+functions[_wardline__subcmd__verify-evidence_commands] )) ||
_wardline__subcmd__verify-evidence_commands() {
    local commands; commands=()
    _describe -t commands 'wardline verify-evidence commands' commands "$@"
}

if [ "$funcstack[1]" = "_wardline" ]; then
    _wardline "$@"
else
    compdef _wardline wardline
fi
