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
'--store=[The store\: a file in the folder, or an empty database, "postgres\://user@localhost/name"]:FILE|URL:_default' \
'--name=[This sink'\''s name]:NAME:_default' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(enroll)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'(--batch)--token=[Prints a token by which this gateway may enrol itself, once]:GATEWAY:_default' \
'--batch=[The same for all gateways of a table\: a line \`gateway,ward\` each; writes a file for each one'\''s boot medium, and one for labels, into the folder of --output]:FILE:_files' \
'--ward=[The ward in which the gateway of --token will stand]:WARD:_default' \
'--days=[How long tokens are good, days]:DAYS:_default' \
'--output=[Where to write the grant, or the folder of --batch]:FILE:_files' \
'--new-key[Takes another key of a gateway that is enrolled\: it lost its own. What the old key signed stays valid]' \
'-h[Print help]' \
'--help[Print help]' \
'::request -- What `wardline provision` wrote:_files' \
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
'(--csv)--json[One line of JSON with "schema"\: 1]' \
'--csv[Work orders as comma-separated values, for a maintenance system]' \
'-h[Print help]' \
'--help[Print help]' \
'::id -- One incident with its timeline:_default' \
&& ret=0
;;
(availability)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--month=[The month, as 2026-11; this one without it]:MONTH:_default' \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(link)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--name=[Whom it is for\: the name that stands in timelines]:NAME:_default' \
'--role=[What they may do]:ROLE:((viewer\:"Sees the line, no patient data; changes nothing"
engineer\:"Takes and closes incidents, sees values"
auditor\:"Sees the line, who did what, and evidence; no values, changes nothing"
admin\:"Everything"))' \
'--ward=[The only ward whose gateways they see; all without]:WARD:_default' \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(account)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
":: :_wardline-sink__subcmd__account_commands" \
"*::: :->account" \
&& ret=0

    case $state in
    (account)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-account-command-$line[1]:"
        case $line[1] in
            (add)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--role=[What they may do]:ROLE:((viewer\:"Sees the line, no patient data; changes nothing"
engineer\:"Takes and closes incidents, sees values"
auditor\:"Sees the line, who did what, and evidence; no values, changes nothing"
admin\:"Everything"))' \
'--ward=[The only ward whose gateways they see; all without]:WARD:_default' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':name -- Name\: a-z, 0-9, '\''.'\'', '\''_'\'', '\''-'\'', '\''@'\'':_default' \
&& ret=0
;;
(reset)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
':name -- Name:_default' \
&& ret=0
;;
(set)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--role=[What they may do]:ROLE:((viewer\:"Sees the line, no patient data; changes nothing"
engineer\:"Takes and closes incidents, sees values"
auditor\:"Sees the line, who did what, and evidence; no values, changes nothing"
admin\:"Everything"))' \
'--ward=[The only ward whose gateways they see; all without]:WARD:_default' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':name -- Name\: a-z, 0-9, '\''.'\'', '\''_'\'', '\''-'\'', '\''@'\'':_default' \
&& ret=0
;;
(off)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
':name -- Name:_default' \
&& ret=0
;;
(on)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
':name -- Name:_default' \
&& ret=0
;;
(out)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
':name -- Name:_default' \
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
":: :_wardline-sink__subcmd__account__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-account-help-command-$line[1]:"
        case $line[1] in
            (add)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(reset)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(set)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(off)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(on)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(out)
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
(gateway)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
":: :_wardline-sink__subcmd__gateway_commands" \
"*::: :->gateway" \
&& ret=0

    case $state in
    (gateway)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-gateway-command-$line[1]:"
        case $line[1] in
            (ls)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(ward)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
':gateway -- The gateway:_default' \
'::ward -- The ward:_default' \
&& ret=0
;;
(revoke)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--reason=[Why\: it stands in the incident and in the audit trail]:REASON:_default' \
'-h[Print help]' \
'--help[Print help]' \
':gateway -- The gateway:_default' \
&& ret=0
;;
(restore)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
':gateway -- The gateway:_default' \
&& ret=0
;;
(release)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
':gateway -- The gateway:_default' \
&& ret=0
;;
(replace)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
':old -- The gateway that goes:_default' \
':new -- The gateway that comes; it is enrolled already:_default' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_wardline-sink__subcmd__gateway__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-gateway-help-command-$line[1]:"
        case $line[1] in
            (ls)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(ward)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(revoke)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(restore)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(release)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(replace)
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
(keys)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
":: :_wardline-sink__subcmd__keys_commands" \
"*::: :->keys" \
&& ret=0

    case $state in
    (keys)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-keys-command-$line[1]:"
        case $line[1] in
            (ls)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(rotate)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--stolen[The old one was stolen\: the receipt key is replaced at once and believed by nobody; until gateways have the keyring they refuse receipts and send again]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':kind -- Which kind; fleet and root keys follow by `wardline-sink root`:((recipient\:"What segments are wrapped for"
receipt\:"What signs receipts"
command\:"What signs commands"))' \
&& ret=0
;;
(destroy)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(certify)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'*--also=[Another name or address under which gateways reach broker and endpoint]:NAME:_default' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_wardline-sink__subcmd__keys__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-keys-help-command-$line[1]:"
        case $line[1] in
            (ls)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(rotate)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(destroy)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(certify)
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
(root)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
":: :_wardline-sink__subcmd__root_commands" \
"*::: :->root" \
&& ret=0

    case $state in
    (root)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-root-command-$line[1]:"
        case $line[1] in
            (key)
_arguments "${_arguments_options[@]}" : \
'--output=[The key'\''s file; it is made with mode 0600 and belongs in a safe]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(recovery)
_arguments "${_arguments_options[@]}" : \
'--folder=[Folder for the private halves, which belong in a safe, and \`recovery.json\`]:DIR:_files' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(request)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--recovery=[Other recovery keys\: the file of \`root recovery\`]:FILE:_files' \
'*--root=[A root key from now on, as \`root key\` has printed it; once for each]:KEY:_default' \
'--needed=[How many of those must sign]:NUMBER:_default' \
'--days=[Days until the keyring ends; collecting goes on after it]:DAYS:_default' \
'--output=[Where to write the request]:FILE:_files' \
'--fleet[A new fleet key, made here]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(sign)
_arguments "${_arguments_options[@]}" : \
'--key=[The root key]:FILE:_files' \
'--output=[Where to write what was signed]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
':request -- What `root request` wrote:_files' \
&& ret=0
;;
(install)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
'*::parts -- What `root sign` wrote, one a holder:_files' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_wardline-sink__subcmd__root__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-root-help-command-$line[1]:"
        case $line[1] in
            (key)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(recovery)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(request)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(sign)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(install)
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
(device)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
":: :_wardline-sink__subcmd__device_commands" \
"*::: :->device" \
&& ret=0

    case $state in
    (device)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-device-command-$line[1]:"
        case $line[1] in
            (ls)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(set)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--udi=[Unique device identification, as printed\: \`(01)...(21)...\` or \`+...\`]:UDI:_default' \
'--serial=[Serial number]:SERIAL:_default' \
'--model=[Model]:MODEL:_default' \
'--maker=[Who made it]:MAKER:_default' \
'--place=[Where it stands]:PLACE:_default' \
'-h[Print help]' \
'--help[Print help]' \
':device -- The device'\''s EUI-64, 16 hexadecimal digits:_default' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_wardline-sink__subcmd__device__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-device-help-command-$line[1]:"
        case $line[1] in
            (ls)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(set)
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
(maintenance)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
":: :_wardline-sink__subcmd__maintenance_commands" \
"*::: :->maintenance" \
&& ret=0

    case $state in
    (maintenance)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-maintenance-command-$line[1]:"
        case $line[1] in
            (add)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--gateway=[A gateway]:GATEWAY:_default' \
'--ward=[A ward]:WARD:_default' \
'--hours=[Hours]:HOURS:_default' \
'--reason=[Why]:REASON:_default' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(end)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
':id -- Its number:_default' \
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
":: :_wardline-sink__subcmd__maintenance__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-maintenance-help-command-$line[1]:"
        case $line[1] in
            (add)
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
(notify)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--name=[Only this receiver]:NAME:_default' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(hold)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
":: :_wardline-sink__subcmd__hold_commands" \
"*::: :->hold" \
&& ret=0

    case $state in
    (hold)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-hold-command-$line[1]:"
        case $line[1] in
            (add)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--device=[A device'\''s readings, and the sealed records of the gateways through which it spoke]:ID:_default' \
'--ward=[A ward'\''s readings; with a device, its readings in this ward only]:WARD:_default' \
'--reason=[Why]:REASON:_default' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(end)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
':id -- Its number:_default' \
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
":: :_wardline-sink__subcmd__hold__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-hold-help-command-$line[1]:"
        case $line[1] in
            (add)
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
(dispose)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--dry-run[Counts what would go, and leaves it]' \
'--force[Trusts this machine'\''s clock, although the newest reading is of long ago]' \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(erase)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--device=[A device'\''s readings\: its EUI-64, 16 hexadecimal digits]:ID:_default' \
'--patient=[A patient'\''s readings\: the token, as readings and exports show it]:TOKEN:_default' \
'--from=[Only from this moment on, as 2026-11-28T10\:00\:00Z]:FROM:_default' \
'--to=[Only before this moment; before now without it]:TO:_default' \
'--reason=[Why\: it stands in the proof and in the audit trail. No patient'\''s name belongs here]:REASON:_default' \
'--proof=[Where to write the proof; never over another file]:FILE:_files' \
'(--device --patient --from --to --list)--again=[Carries this order out again, and writes its proof\: after an interruption, or a hold]:N:_default' \
'--dry-run[Counts the rows that would go, and leaves them]' \
'--yes[Erases without asking back]' \
'(--device --patient --from --to --dry-run)--list[Lists the orders that were given here, oldest first, with their numbers]' \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(audit)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--gateway=[What happened to this gateway instead, by its own signed trail]:ID:_default' \
'--last=[Entries to show]:LAST:_default' \
'(--verify --json --gateway)--format=[All entries, oldest first, for another system]:FORMAT:((fhir\:"FHIR R4, one AuditEvent a line"
csv\:"Comma-separated values, with a head"
ndjson\:"JSON, one entry a line"))' \
'--from=[With --format, from this moment on, as 2026-01-31T12\:00\:00Z]:TIME:_default' \
'--to=[With --format, before this moment]:TIME:_default' \
'--verify[Checks the whole chain, and prints its head\: who keeps that elsewhere sees a cut end, too]' \
'(--verify --format)--ndjson[The same as --format ndjson]' \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(export)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--format=[Format of the files]:FORMAT:((csv\:"One file a signal, of one device"
parquet\:"Columns\: numerics, waves and notes"
fhir\:"FHIR R4, one resource a line"
hl7\:"HL7 v2.6\: IHE PCD-01 and PCD-04"))' \
'--device=[The device'\''s EUI-64, 16 hexadecimal digits]:ID:_default' \
'--from=[From this moment on, as 2026-01-31T12\:00\:00Z]:TIME:_default' \
'--to=[Before this moment]:TIME:_default' \
'--out=[Folder to write into\: empty, or of an export that was interrupted]:DIR:_files' \
'(--device)--all[Every device]' \
'--flagged[HL7\: values that are not valid, too, each with its flags]' \
'--bundles[FHIR\: transactions in place of single resources]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(evidence)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--device=[The device'\''s EUI-64, 16 hexadecimal digits]:DEVICE:_default' \
'--from=[From this moment on, as 2026-11-28T10\:00\:00Z]:FROM:_default' \
'--to=[Before this moment]:TO:_default' \
'--out=[Where to write it; never over another file]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(feeds)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(import)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--local-key=[The key of the card; \`keys/local.key\` of the state folder without it]:FILE:_files' \
'--receipts=[Where to write the receipts, hexadecimal, one a line]:FILE:_files' \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help]' \
'--help[Print help]' \
':folder -- The gateway'\''s state folder on the card, or its buffer folder:_files' \
&& ret=0
;;
(recover)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--from=[The dead sink'\''s store\: its file, or postgres\://…]:FILE|URL:_default' \
'--recovery=[The folder of recovery keys, out of the safe]:DIR:_files' \
'--json[One line of JSON with "schema"\: 1]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(restored)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(migrate)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
":: :_wardline-sink__subcmd__migrate_commands" \
"*::: :->migrate" \
&& ret=0

    case $state in
    (migrate)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-migrate-command-$line[1]:"
        case $line[1] in
            (sqlite-to-postgres)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file]:FILE:_files' \
'--to=[The empty database, "postgres\://user@localhost/name"]:URL:_default' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_wardline-sink__subcmd__migrate__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-migrate-help-command-$line[1]:"
        case $line[1] in
            (sqlite-to-postgres)
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
(availability)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(link)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(account)
_arguments "${_arguments_options[@]}" : \
":: :_wardline-sink__subcmd__help__subcmd__account_commands" \
"*::: :->account" \
&& ret=0

    case $state in
    (account)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-help-account-command-$line[1]:"
        case $line[1] in
            (add)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(reset)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(set)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(off)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(on)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(out)
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
(gateway)
_arguments "${_arguments_options[@]}" : \
":: :_wardline-sink__subcmd__help__subcmd__gateway_commands" \
"*::: :->gateway" \
&& ret=0

    case $state in
    (gateway)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-help-gateway-command-$line[1]:"
        case $line[1] in
            (ls)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(ward)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(revoke)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(restore)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(release)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(replace)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(keys)
_arguments "${_arguments_options[@]}" : \
":: :_wardline-sink__subcmd__help__subcmd__keys_commands" \
"*::: :->keys" \
&& ret=0

    case $state in
    (keys)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-help-keys-command-$line[1]:"
        case $line[1] in
            (ls)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(rotate)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(destroy)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(certify)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(root)
_arguments "${_arguments_options[@]}" : \
":: :_wardline-sink__subcmd__help__subcmd__root_commands" \
"*::: :->root" \
&& ret=0

    case $state in
    (root)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-help-root-command-$line[1]:"
        case $line[1] in
            (key)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(recovery)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(request)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(sign)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(install)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(device)
_arguments "${_arguments_options[@]}" : \
":: :_wardline-sink__subcmd__help__subcmd__device_commands" \
"*::: :->device" \
&& ret=0

    case $state in
    (device)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-help-device-command-$line[1]:"
        case $line[1] in
            (ls)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(set)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(maintenance)
_arguments "${_arguments_options[@]}" : \
":: :_wardline-sink__subcmd__help__subcmd__maintenance_commands" \
"*::: :->maintenance" \
&& ret=0

    case $state in
    (maintenance)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-help-maintenance-command-$line[1]:"
        case $line[1] in
            (add)
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
(notify)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(hold)
_arguments "${_arguments_options[@]}" : \
":: :_wardline-sink__subcmd__help__subcmd__hold_commands" \
"*::: :->hold" \
&& ret=0

    case $state in
    (hold)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-help-hold-command-$line[1]:"
        case $line[1] in
            (add)
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
(dispose)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(erase)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(audit)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(export)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(evidence)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(feeds)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(import)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(recover)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(restored)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(migrate)
_arguments "${_arguments_options[@]}" : \
":: :_wardline-sink__subcmd__help__subcmd__migrate_commands" \
"*::: :->migrate" \
&& ret=0

    case $state in
    (migrate)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:wardline-sink-help-migrate-command-$line[1]:"
        case $line[1] in
            (sqlite-to-postgres)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
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

(( $+functions[_wardline-sink_commands] )) ||
_wardline-sink_commands() {
    local commands; commands=(
'init:Makes CA, keys, keyring, store and the broker'\''s configuration for a new site' \
'enroll:Answers a gateway'\''s request\: certificate, roots and keyring' \
'run:Receives, verifies, stores and signs until it is stopped' \
'status:Shows the ledger\: what is present, double, missing, linked, forked, held, refused' \
'incidents:Shows what needs a person and what to do; takes an incident or closes it' \
'availability:Shows how much of a month gateways and their feeds were up, and how long readings took' \
'link:Makes a link to the page that lets one person in, once, within ten minutes' \
'account:Invites people, and changes or ends what they may do' \
'gateway:Lists gateways, and says in which ward each stands' \
'keys:Shows the site'\''s keys, lets new ones follow, and destroys what nothing waits for' \
'root:What the offline root keys sign\: a new fleet key, recovery keys, other roots, a later end' \
'device:Lists devices, and says what each is\: UDI, serial number, model, maker, place' \
'maintenance:Keeps notifications back while somebody works on gateways' \
'notify:Sends a test message to every receiver of notifications' \
'hold:Keeps what the rules of retention would dispose of' \
'dispose:Disposes of what the rules of retention no longer keep' \
'erase:Erases a patient'\''s, a device'\''s or a period'\''s readings, with a signed proof' \
'audit:Shows who did what, and checks that nothing of it was changed' \
'export:Writes a device'\''s readings into files' \
'evidence:Writes one file about a device and time that anybody can check with public keys alone' \
'feeds:Lists feeds to other systems\: how far behind each is, what it gave and what was refused' \
'import:Takes what is on a dead gateway'\''s card\: verified, stored, signed for' \
'recover:Opens the evidence of a dead sink with the offline recovery keys, and stores it here' \
'restored:After a store was put back from a backup\: tells the gateways' \
'migrate:Moves the store somewhere else' \
'completions:Prints completions for a shell' \
'man:Writes the manual, one page a command' \
'schema:Prints the JSON Schema of the configuration, for editors' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline-sink commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__account_commands] )) ||
_wardline-sink__subcmd__account_commands() {
    local commands; commands=(
'add:Invites somebody\: prints a link that is good once, for three days. There they choose a password and take the secret of their codes' \
'reset:The same for somebody who has lost password or codes' \
'set:Gives another role or ward; whoever is signed in has to come in again' \
'off:Switches an account off, and ends its sessions' \
'on:Switches an account on, and opens its lock' \
'out:Ends the sessions of a name, also of somebody who came by the hospital'\''s sign-on' \
'ls:Lists all accounts' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline-sink account commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__account__subcmd__add_commands] )) ||
_wardline-sink__subcmd__account__subcmd__add_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink account add commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__account__subcmd__help_commands] )) ||
_wardline-sink__subcmd__account__subcmd__help_commands() {
    local commands; commands=(
'add:Invites somebody\: prints a link that is good once, for three days. There they choose a password and take the secret of their codes' \
'reset:The same for somebody who has lost password or codes' \
'set:Gives another role or ward; whoever is signed in has to come in again' \
'off:Switches an account off, and ends its sessions' \
'on:Switches an account on, and opens its lock' \
'out:Ends the sessions of a name, also of somebody who came by the hospital'\''s sign-on' \
'ls:Lists all accounts' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline-sink account help commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__account__subcmd__help__subcmd__add_commands] )) ||
_wardline-sink__subcmd__account__subcmd__help__subcmd__add_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink account help add commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__account__subcmd__help__subcmd__help_commands] )) ||
_wardline-sink__subcmd__account__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink account help help commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__account__subcmd__help__subcmd__ls_commands] )) ||
_wardline-sink__subcmd__account__subcmd__help__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink account help ls commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__account__subcmd__help__subcmd__off_commands] )) ||
_wardline-sink__subcmd__account__subcmd__help__subcmd__off_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink account help off commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__account__subcmd__help__subcmd__on_commands] )) ||
_wardline-sink__subcmd__account__subcmd__help__subcmd__on_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink account help on commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__account__subcmd__help__subcmd__out_commands] )) ||
_wardline-sink__subcmd__account__subcmd__help__subcmd__out_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink account help out commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__account__subcmd__help__subcmd__reset_commands] )) ||
_wardline-sink__subcmd__account__subcmd__help__subcmd__reset_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink account help reset commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__account__subcmd__help__subcmd__set_commands] )) ||
_wardline-sink__subcmd__account__subcmd__help__subcmd__set_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink account help set commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__account__subcmd__ls_commands] )) ||
_wardline-sink__subcmd__account__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink account ls commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__account__subcmd__off_commands] )) ||
_wardline-sink__subcmd__account__subcmd__off_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink account off commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__account__subcmd__on_commands] )) ||
_wardline-sink__subcmd__account__subcmd__on_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink account on commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__account__subcmd__out_commands] )) ||
_wardline-sink__subcmd__account__subcmd__out_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink account out commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__account__subcmd__reset_commands] )) ||
_wardline-sink__subcmd__account__subcmd__reset_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink account reset commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__account__subcmd__set_commands] )) ||
_wardline-sink__subcmd__account__subcmd__set_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink account set commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__audit_commands] )) ||
_wardline-sink__subcmd__audit_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink audit commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__availability_commands] )) ||
_wardline-sink__subcmd__availability_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink availability commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__completions_commands] )) ||
_wardline-sink__subcmd__completions_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink completions commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__device_commands] )) ||
_wardline-sink__subcmd__device_commands() {
    local commands; commands=(
'ls:Lists all devices, those that were heard last first' \
'set:Says what a device is; what is not given becomes empty' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline-sink device commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__device__subcmd__help_commands] )) ||
_wardline-sink__subcmd__device__subcmd__help_commands() {
    local commands; commands=(
'ls:Lists all devices, those that were heard last first' \
'set:Says what a device is; what is not given becomes empty' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline-sink device help commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__device__subcmd__help__subcmd__help_commands] )) ||
_wardline-sink__subcmd__device__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink device help help commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__device__subcmd__help__subcmd__ls_commands] )) ||
_wardline-sink__subcmd__device__subcmd__help__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink device help ls commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__device__subcmd__help__subcmd__set_commands] )) ||
_wardline-sink__subcmd__device__subcmd__help__subcmd__set_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink device help set commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__device__subcmd__ls_commands] )) ||
_wardline-sink__subcmd__device__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink device ls commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__device__subcmd__set_commands] )) ||
_wardline-sink__subcmd__device__subcmd__set_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink device set commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__dispose_commands] )) ||
_wardline-sink__subcmd__dispose_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink dispose commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__enroll_commands] )) ||
_wardline-sink__subcmd__enroll_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink enroll commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__erase_commands] )) ||
_wardline-sink__subcmd__erase_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink erase commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__evidence_commands] )) ||
_wardline-sink__subcmd__evidence_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink evidence commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__export_commands] )) ||
_wardline-sink__subcmd__export_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink export commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__feeds_commands] )) ||
_wardline-sink__subcmd__feeds_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink feeds commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__gateway_commands] )) ||
_wardline-sink__subcmd__gateway_commands() {
    local commands; commands=(
'ls:Lists all gateways' \
'ward:Says in which ward a gateway stands; without a ward, in none' \
'revoke:Revokes a gateway\: what it sends from now on is held for a person, whatever its clock says' \
'restore:Takes a revocation back\: it was a mistake' \
'release:Lets go what is held of a suspect speaker\: it is verified and stored' \
'replace:Puts one gateway in another'\''s place\: its ward and its devices move, the old one is revoked' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline-sink gateway commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__gateway__subcmd__help_commands] )) ||
_wardline-sink__subcmd__gateway__subcmd__help_commands() {
    local commands; commands=(
'ls:Lists all gateways' \
'ward:Says in which ward a gateway stands; without a ward, in none' \
'revoke:Revokes a gateway\: what it sends from now on is held for a person, whatever its clock says' \
'restore:Takes a revocation back\: it was a mistake' \
'release:Lets go what is held of a suspect speaker\: it is verified and stored' \
'replace:Puts one gateway in another'\''s place\: its ward and its devices move, the old one is revoked' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline-sink gateway help commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__gateway__subcmd__help__subcmd__help_commands] )) ||
_wardline-sink__subcmd__gateway__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink gateway help help commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__gateway__subcmd__help__subcmd__ls_commands] )) ||
_wardline-sink__subcmd__gateway__subcmd__help__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink gateway help ls commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__gateway__subcmd__help__subcmd__release_commands] )) ||
_wardline-sink__subcmd__gateway__subcmd__help__subcmd__release_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink gateway help release commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__gateway__subcmd__help__subcmd__replace_commands] )) ||
_wardline-sink__subcmd__gateway__subcmd__help__subcmd__replace_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink gateway help replace commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__gateway__subcmd__help__subcmd__restore_commands] )) ||
_wardline-sink__subcmd__gateway__subcmd__help__subcmd__restore_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink gateway help restore commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__gateway__subcmd__help__subcmd__revoke_commands] )) ||
_wardline-sink__subcmd__gateway__subcmd__help__subcmd__revoke_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink gateway help revoke commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__gateway__subcmd__help__subcmd__ward_commands] )) ||
_wardline-sink__subcmd__gateway__subcmd__help__subcmd__ward_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink gateway help ward commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__gateway__subcmd__ls_commands] )) ||
_wardline-sink__subcmd__gateway__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink gateway ls commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__gateway__subcmd__release_commands] )) ||
_wardline-sink__subcmd__gateway__subcmd__release_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink gateway release commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__gateway__subcmd__replace_commands] )) ||
_wardline-sink__subcmd__gateway__subcmd__replace_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink gateway replace commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__gateway__subcmd__restore_commands] )) ||
_wardline-sink__subcmd__gateway__subcmd__restore_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink gateway restore commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__gateway__subcmd__revoke_commands] )) ||
_wardline-sink__subcmd__gateway__subcmd__revoke_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink gateway revoke commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__gateway__subcmd__ward_commands] )) ||
_wardline-sink__subcmd__gateway__subcmd__ward_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink gateway ward commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help_commands] )) ||
_wardline-sink__subcmd__help_commands() {
    local commands; commands=(
'init:Makes CA, keys, keyring, store and the broker'\''s configuration for a new site' \
'enroll:Answers a gateway'\''s request\: certificate, roots and keyring' \
'run:Receives, verifies, stores and signs until it is stopped' \
'status:Shows the ledger\: what is present, double, missing, linked, forked, held, refused' \
'incidents:Shows what needs a person and what to do; takes an incident or closes it' \
'availability:Shows how much of a month gateways and their feeds were up, and how long readings took' \
'link:Makes a link to the page that lets one person in, once, within ten minutes' \
'account:Invites people, and changes or ends what they may do' \
'gateway:Lists gateways, and says in which ward each stands' \
'keys:Shows the site'\''s keys, lets new ones follow, and destroys what nothing waits for' \
'root:What the offline root keys sign\: a new fleet key, recovery keys, other roots, a later end' \
'device:Lists devices, and says what each is\: UDI, serial number, model, maker, place' \
'maintenance:Keeps notifications back while somebody works on gateways' \
'notify:Sends a test message to every receiver of notifications' \
'hold:Keeps what the rules of retention would dispose of' \
'dispose:Disposes of what the rules of retention no longer keep' \
'erase:Erases a patient'\''s, a device'\''s or a period'\''s readings, with a signed proof' \
'audit:Shows who did what, and checks that nothing of it was changed' \
'export:Writes a device'\''s readings into files' \
'evidence:Writes one file about a device and time that anybody can check with public keys alone' \
'feeds:Lists feeds to other systems\: how far behind each is, what it gave and what was refused' \
'import:Takes what is on a dead gateway'\''s card\: verified, stored, signed for' \
'recover:Opens the evidence of a dead sink with the offline recovery keys, and stores it here' \
'restored:After a store was put back from a backup\: tells the gateways' \
'migrate:Moves the store somewhere else' \
'completions:Prints completions for a shell' \
'man:Writes the manual, one page a command' \
'schema:Prints the JSON Schema of the configuration, for editors' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline-sink help commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__account_commands] )) ||
_wardline-sink__subcmd__help__subcmd__account_commands() {
    local commands; commands=(
'add:Invites somebody\: prints a link that is good once, for three days. There they choose a password and take the secret of their codes' \
'reset:The same for somebody who has lost password or codes' \
'set:Gives another role or ward; whoever is signed in has to come in again' \
'off:Switches an account off, and ends its sessions' \
'on:Switches an account on, and opens its lock' \
'out:Ends the sessions of a name, also of somebody who came by the hospital'\''s sign-on' \
'ls:Lists all accounts' \
    )
    _describe -t commands 'wardline-sink help account commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__account__subcmd__add_commands] )) ||
_wardline-sink__subcmd__help__subcmd__account__subcmd__add_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help account add commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__account__subcmd__ls_commands] )) ||
_wardline-sink__subcmd__help__subcmd__account__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help account ls commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__account__subcmd__off_commands] )) ||
_wardline-sink__subcmd__help__subcmd__account__subcmd__off_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help account off commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__account__subcmd__on_commands] )) ||
_wardline-sink__subcmd__help__subcmd__account__subcmd__on_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help account on commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__account__subcmd__out_commands] )) ||
_wardline-sink__subcmd__help__subcmd__account__subcmd__out_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help account out commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__account__subcmd__reset_commands] )) ||
_wardline-sink__subcmd__help__subcmd__account__subcmd__reset_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help account reset commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__account__subcmd__set_commands] )) ||
_wardline-sink__subcmd__help__subcmd__account__subcmd__set_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help account set commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__audit_commands] )) ||
_wardline-sink__subcmd__help__subcmd__audit_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help audit commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__availability_commands] )) ||
_wardline-sink__subcmd__help__subcmd__availability_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help availability commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__completions_commands] )) ||
_wardline-sink__subcmd__help__subcmd__completions_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help completions commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__device_commands] )) ||
_wardline-sink__subcmd__help__subcmd__device_commands() {
    local commands; commands=(
'ls:Lists all devices, those that were heard last first' \
'set:Says what a device is; what is not given becomes empty' \
    )
    _describe -t commands 'wardline-sink help device commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__device__subcmd__ls_commands] )) ||
_wardline-sink__subcmd__help__subcmd__device__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help device ls commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__device__subcmd__set_commands] )) ||
_wardline-sink__subcmd__help__subcmd__device__subcmd__set_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help device set commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__dispose_commands] )) ||
_wardline-sink__subcmd__help__subcmd__dispose_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help dispose commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__enroll_commands] )) ||
_wardline-sink__subcmd__help__subcmd__enroll_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help enroll commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__erase_commands] )) ||
_wardline-sink__subcmd__help__subcmd__erase_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help erase commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__evidence_commands] )) ||
_wardline-sink__subcmd__help__subcmd__evidence_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help evidence commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__export_commands] )) ||
_wardline-sink__subcmd__help__subcmd__export_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help export commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__feeds_commands] )) ||
_wardline-sink__subcmd__help__subcmd__feeds_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help feeds commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__gateway_commands] )) ||
_wardline-sink__subcmd__help__subcmd__gateway_commands() {
    local commands; commands=(
'ls:Lists all gateways' \
'ward:Says in which ward a gateway stands; without a ward, in none' \
'revoke:Revokes a gateway\: what it sends from now on is held for a person, whatever its clock says' \
'restore:Takes a revocation back\: it was a mistake' \
'release:Lets go what is held of a suspect speaker\: it is verified and stored' \
'replace:Puts one gateway in another'\''s place\: its ward and its devices move, the old one is revoked' \
    )
    _describe -t commands 'wardline-sink help gateway commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__gateway__subcmd__ls_commands] )) ||
_wardline-sink__subcmd__help__subcmd__gateway__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help gateway ls commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__gateway__subcmd__release_commands] )) ||
_wardline-sink__subcmd__help__subcmd__gateway__subcmd__release_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help gateway release commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__gateway__subcmd__replace_commands] )) ||
_wardline-sink__subcmd__help__subcmd__gateway__subcmd__replace_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help gateway replace commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__gateway__subcmd__restore_commands] )) ||
_wardline-sink__subcmd__help__subcmd__gateway__subcmd__restore_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help gateway restore commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__gateway__subcmd__revoke_commands] )) ||
_wardline-sink__subcmd__help__subcmd__gateway__subcmd__revoke_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help gateway revoke commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__gateway__subcmd__ward_commands] )) ||
_wardline-sink__subcmd__help__subcmd__gateway__subcmd__ward_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help gateway ward commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__help_commands] )) ||
_wardline-sink__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help help commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__hold_commands] )) ||
_wardline-sink__subcmd__help__subcmd__hold_commands() {
    local commands; commands=(
'add:Begins a hold\: of a device, of a ward, or of everything' \
'end:Ends a hold' \
'ls:Lists all holds, newest first' \
    )
    _describe -t commands 'wardline-sink help hold commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__hold__subcmd__add_commands] )) ||
_wardline-sink__subcmd__help__subcmd__hold__subcmd__add_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help hold add commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__hold__subcmd__end_commands] )) ||
_wardline-sink__subcmd__help__subcmd__hold__subcmd__end_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help hold end commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__hold__subcmd__ls_commands] )) ||
_wardline-sink__subcmd__help__subcmd__hold__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help hold ls commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__import_commands] )) ||
_wardline-sink__subcmd__help__subcmd__import_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help import commands' commands "$@"
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
(( $+functions[_wardline-sink__subcmd__help__subcmd__keys_commands] )) ||
_wardline-sink__subcmd__help__subcmd__keys_commands() {
    local commands; commands=(
'ls:Lists keys with what they are for and what keeps an old one' \
'rotate:Lets a new key follow\: it is published first and used when gateways have it' \
'destroy:Destroys old recipient keys that nothing can come under any more' \
'certify:Gives broker, enrolment endpoint and sink new certificates, over the keys that they have' \
    )
    _describe -t commands 'wardline-sink help keys commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__keys__subcmd__certify_commands] )) ||
_wardline-sink__subcmd__help__subcmd__keys__subcmd__certify_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help keys certify commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__keys__subcmd__destroy_commands] )) ||
_wardline-sink__subcmd__help__subcmd__keys__subcmd__destroy_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help keys destroy commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__keys__subcmd__ls_commands] )) ||
_wardline-sink__subcmd__help__subcmd__keys__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help keys ls commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__keys__subcmd__rotate_commands] )) ||
_wardline-sink__subcmd__help__subcmd__keys__subcmd__rotate_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help keys rotate commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__link_commands] )) ||
_wardline-sink__subcmd__help__subcmd__link_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help link commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__maintenance_commands] )) ||
_wardline-sink__subcmd__help__subcmd__maintenance_commands() {
    local commands; commands=(
'add:Opens a window, from now on\: for a gateway, a ward, or all' \
'end:Ends a window' \
'ls:Lists windows that are open' \
    )
    _describe -t commands 'wardline-sink help maintenance commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__maintenance__subcmd__add_commands] )) ||
_wardline-sink__subcmd__help__subcmd__maintenance__subcmd__add_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help maintenance add commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__maintenance__subcmd__end_commands] )) ||
_wardline-sink__subcmd__help__subcmd__maintenance__subcmd__end_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help maintenance end commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__maintenance__subcmd__ls_commands] )) ||
_wardline-sink__subcmd__help__subcmd__maintenance__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help maintenance ls commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__man_commands] )) ||
_wardline-sink__subcmd__help__subcmd__man_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help man commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__migrate_commands] )) ||
_wardline-sink__subcmd__help__subcmd__migrate_commands() {
    local commands; commands=(
'sqlite-to-postgres:Copies the store'\''s file into an empty PostgreSQL database; the file stays as it is' \
    )
    _describe -t commands 'wardline-sink help migrate commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__migrate__subcmd__sqlite-to-postgres_commands] )) ||
_wardline-sink__subcmd__help__subcmd__migrate__subcmd__sqlite-to-postgres_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help migrate sqlite-to-postgres commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__notify_commands] )) ||
_wardline-sink__subcmd__help__subcmd__notify_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help notify commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__recover_commands] )) ||
_wardline-sink__subcmd__help__subcmd__recover_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help recover commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__restored_commands] )) ||
_wardline-sink__subcmd__help__subcmd__restored_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help restored commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__root_commands] )) ||
_wardline-sink__subcmd__help__subcmd__root_commands() {
    local commands; commands=(
'key:Makes a root key, offline; prints its public half for \`root request --root\`' \
'recovery:Makes recovery keys, offline; writes their public halves for \`root request --recovery\`' \
'request:Asks the root for a new part\: on the sink' \
'sign:Signs a request with one root key\: offline. Shows first what is signed' \
'install:Puts together what enough holders have signed, and takes it\: on the sink' \
    )
    _describe -t commands 'wardline-sink help root commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__root__subcmd__install_commands] )) ||
_wardline-sink__subcmd__help__subcmd__root__subcmd__install_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help root install commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__root__subcmd__key_commands] )) ||
_wardline-sink__subcmd__help__subcmd__root__subcmd__key_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help root key commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__root__subcmd__recovery_commands] )) ||
_wardline-sink__subcmd__help__subcmd__root__subcmd__recovery_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help root recovery commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__root__subcmd__request_commands] )) ||
_wardline-sink__subcmd__help__subcmd__root__subcmd__request_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help root request commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__root__subcmd__sign_commands] )) ||
_wardline-sink__subcmd__help__subcmd__root__subcmd__sign_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help root sign commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__run_commands] )) ||
_wardline-sink__subcmd__help__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help run commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__schema_commands] )) ||
_wardline-sink__subcmd__help__subcmd__schema_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help schema commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__help__subcmd__status_commands] )) ||
_wardline-sink__subcmd__help__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink help status commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__hold_commands] )) ||
_wardline-sink__subcmd__hold_commands() {
    local commands; commands=(
'add:Begins a hold\: of a device, of a ward, or of everything' \
'end:Ends a hold' \
'ls:Lists all holds, newest first' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline-sink hold commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__hold__subcmd__add_commands] )) ||
_wardline-sink__subcmd__hold__subcmd__add_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink hold add commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__hold__subcmd__end_commands] )) ||
_wardline-sink__subcmd__hold__subcmd__end_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink hold end commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__hold__subcmd__help_commands] )) ||
_wardline-sink__subcmd__hold__subcmd__help_commands() {
    local commands; commands=(
'add:Begins a hold\: of a device, of a ward, or of everything' \
'end:Ends a hold' \
'ls:Lists all holds, newest first' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline-sink hold help commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__hold__subcmd__help__subcmd__add_commands] )) ||
_wardline-sink__subcmd__hold__subcmd__help__subcmd__add_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink hold help add commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__hold__subcmd__help__subcmd__end_commands] )) ||
_wardline-sink__subcmd__hold__subcmd__help__subcmd__end_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink hold help end commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__hold__subcmd__help__subcmd__help_commands] )) ||
_wardline-sink__subcmd__hold__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink hold help help commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__hold__subcmd__help__subcmd__ls_commands] )) ||
_wardline-sink__subcmd__hold__subcmd__help__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink hold help ls commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__hold__subcmd__ls_commands] )) ||
_wardline-sink__subcmd__hold__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink hold ls commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__import_commands] )) ||
_wardline-sink__subcmd__import_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink import commands' commands "$@"
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
(( $+functions[_wardline-sink__subcmd__keys_commands] )) ||
_wardline-sink__subcmd__keys_commands() {
    local commands; commands=(
'ls:Lists keys with what they are for and what keeps an old one' \
'rotate:Lets a new key follow\: it is published first and used when gateways have it' \
'destroy:Destroys old recipient keys that nothing can come under any more' \
'certify:Gives broker, enrolment endpoint and sink new certificates, over the keys that they have' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline-sink keys commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__keys__subcmd__certify_commands] )) ||
_wardline-sink__subcmd__keys__subcmd__certify_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink keys certify commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__keys__subcmd__destroy_commands] )) ||
_wardline-sink__subcmd__keys__subcmd__destroy_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink keys destroy commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__keys__subcmd__help_commands] )) ||
_wardline-sink__subcmd__keys__subcmd__help_commands() {
    local commands; commands=(
'ls:Lists keys with what they are for and what keeps an old one' \
'rotate:Lets a new key follow\: it is published first and used when gateways have it' \
'destroy:Destroys old recipient keys that nothing can come under any more' \
'certify:Gives broker, enrolment endpoint and sink new certificates, over the keys that they have' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline-sink keys help commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__keys__subcmd__help__subcmd__certify_commands] )) ||
_wardline-sink__subcmd__keys__subcmd__help__subcmd__certify_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink keys help certify commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__keys__subcmd__help__subcmd__destroy_commands] )) ||
_wardline-sink__subcmd__keys__subcmd__help__subcmd__destroy_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink keys help destroy commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__keys__subcmd__help__subcmd__help_commands] )) ||
_wardline-sink__subcmd__keys__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink keys help help commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__keys__subcmd__help__subcmd__ls_commands] )) ||
_wardline-sink__subcmd__keys__subcmd__help__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink keys help ls commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__keys__subcmd__help__subcmd__rotate_commands] )) ||
_wardline-sink__subcmd__keys__subcmd__help__subcmd__rotate_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink keys help rotate commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__keys__subcmd__ls_commands] )) ||
_wardline-sink__subcmd__keys__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink keys ls commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__keys__subcmd__rotate_commands] )) ||
_wardline-sink__subcmd__keys__subcmd__rotate_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink keys rotate commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__link_commands] )) ||
_wardline-sink__subcmd__link_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink link commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__maintenance_commands] )) ||
_wardline-sink__subcmd__maintenance_commands() {
    local commands; commands=(
'add:Opens a window, from now on\: for a gateway, a ward, or all' \
'end:Ends a window' \
'ls:Lists windows that are open' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline-sink maintenance commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__maintenance__subcmd__add_commands] )) ||
_wardline-sink__subcmd__maintenance__subcmd__add_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink maintenance add commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__maintenance__subcmd__end_commands] )) ||
_wardline-sink__subcmd__maintenance__subcmd__end_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink maintenance end commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__maintenance__subcmd__help_commands] )) ||
_wardline-sink__subcmd__maintenance__subcmd__help_commands() {
    local commands; commands=(
'add:Opens a window, from now on\: for a gateway, a ward, or all' \
'end:Ends a window' \
'ls:Lists windows that are open' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline-sink maintenance help commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__maintenance__subcmd__help__subcmd__add_commands] )) ||
_wardline-sink__subcmd__maintenance__subcmd__help__subcmd__add_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink maintenance help add commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__maintenance__subcmd__help__subcmd__end_commands] )) ||
_wardline-sink__subcmd__maintenance__subcmd__help__subcmd__end_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink maintenance help end commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__maintenance__subcmd__help__subcmd__help_commands] )) ||
_wardline-sink__subcmd__maintenance__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink maintenance help help commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__maintenance__subcmd__help__subcmd__ls_commands] )) ||
_wardline-sink__subcmd__maintenance__subcmd__help__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink maintenance help ls commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__maintenance__subcmd__ls_commands] )) ||
_wardline-sink__subcmd__maintenance__subcmd__ls_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink maintenance ls commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__man_commands] )) ||
_wardline-sink__subcmd__man_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink man commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__migrate_commands] )) ||
_wardline-sink__subcmd__migrate_commands() {
    local commands; commands=(
'sqlite-to-postgres:Copies the store'\''s file into an empty PostgreSQL database; the file stays as it is' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline-sink migrate commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__migrate__subcmd__help_commands] )) ||
_wardline-sink__subcmd__migrate__subcmd__help_commands() {
    local commands; commands=(
'sqlite-to-postgres:Copies the store'\''s file into an empty PostgreSQL database; the file stays as it is' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline-sink migrate help commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__migrate__subcmd__help__subcmd__help_commands] )) ||
_wardline-sink__subcmd__migrate__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink migrate help help commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__migrate__subcmd__help__subcmd__sqlite-to-postgres_commands] )) ||
_wardline-sink__subcmd__migrate__subcmd__help__subcmd__sqlite-to-postgres_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink migrate help sqlite-to-postgres commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__migrate__subcmd__sqlite-to-postgres_commands] )) ||
_wardline-sink__subcmd__migrate__subcmd__sqlite-to-postgres_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink migrate sqlite-to-postgres commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__notify_commands] )) ||
_wardline-sink__subcmd__notify_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink notify commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__recover_commands] )) ||
_wardline-sink__subcmd__recover_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink recover commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__restored_commands] )) ||
_wardline-sink__subcmd__restored_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink restored commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__root_commands] )) ||
_wardline-sink__subcmd__root_commands() {
    local commands; commands=(
'key:Makes a root key, offline; prints its public half for \`root request --root\`' \
'recovery:Makes recovery keys, offline; writes their public halves for \`root request --recovery\`' \
'request:Asks the root for a new part\: on the sink' \
'sign:Signs a request with one root key\: offline. Shows first what is signed' \
'install:Puts together what enough holders have signed, and takes it\: on the sink' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline-sink root commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__root__subcmd__help_commands] )) ||
_wardline-sink__subcmd__root__subcmd__help_commands() {
    local commands; commands=(
'key:Makes a root key, offline; prints its public half for \`root request --root\`' \
'recovery:Makes recovery keys, offline; writes their public halves for \`root request --recovery\`' \
'request:Asks the root for a new part\: on the sink' \
'sign:Signs a request with one root key\: offline. Shows first what is signed' \
'install:Puts together what enough holders have signed, and takes it\: on the sink' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'wardline-sink root help commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__root__subcmd__help__subcmd__help_commands] )) ||
_wardline-sink__subcmd__root__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink root help help commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__root__subcmd__help__subcmd__install_commands] )) ||
_wardline-sink__subcmd__root__subcmd__help__subcmd__install_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink root help install commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__root__subcmd__help__subcmd__key_commands] )) ||
_wardline-sink__subcmd__root__subcmd__help__subcmd__key_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink root help key commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__root__subcmd__help__subcmd__recovery_commands] )) ||
_wardline-sink__subcmd__root__subcmd__help__subcmd__recovery_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink root help recovery commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__root__subcmd__help__subcmd__request_commands] )) ||
_wardline-sink__subcmd__root__subcmd__help__subcmd__request_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink root help request commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__root__subcmd__help__subcmd__sign_commands] )) ||
_wardline-sink__subcmd__root__subcmd__help__subcmd__sign_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink root help sign commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__root__subcmd__install_commands] )) ||
_wardline-sink__subcmd__root__subcmd__install_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink root install commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__root__subcmd__key_commands] )) ||
_wardline-sink__subcmd__root__subcmd__key_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink root key commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__root__subcmd__recovery_commands] )) ||
_wardline-sink__subcmd__root__subcmd__recovery_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink root recovery commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__root__subcmd__request_commands] )) ||
_wardline-sink__subcmd__root__subcmd__request_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink root request commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__root__subcmd__sign_commands] )) ||
_wardline-sink__subcmd__root__subcmd__sign_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink root sign commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__run_commands] )) ||
_wardline-sink__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink run commands' commands "$@"
}
(( $+functions[_wardline-sink__subcmd__schema_commands] )) ||
_wardline-sink__subcmd__schema_commands() {
    local commands; commands=()
    _describe -t commands 'wardline-sink schema commands' commands "$@"
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
