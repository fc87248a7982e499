# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_wardline_global_optspecs
    string join \n h/help V/version
end

function __fish_wardline_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_wardline_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_wardline_using_subcommand
    set -l cmd (__fish_wardline_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c wardline -n "__fish_wardline_needs_command" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_needs_command" -s V -l version -d 'Print version'
complete -c wardline -n "__fish_wardline_needs_command" -f -a "init" -d 'Writes a commented configuration'
complete -c wardline -n "__fish_wardline_needs_command" -f -a "provision" -d 'Makes the gateway\'s keys and a request; with --grant installs what the sink answered'
complete -c wardline -n "__fish_wardline_needs_command" -f -a "check" -d 'Checks configuration, keys, dates, storage, ports and broker; exit code 78 when it fails'
complete -c wardline -n "__fish_wardline_needs_command" -f -a "run" -d 'Collects, seals, keeps and sends until it is stopped'
complete -c wardline -n "__fish_wardline_needs_command" -f -a "status" -d 'Shows the state of the running agent'
complete -c wardline -n "__fish_wardline_needs_command" -f -a "doctor" -d 'Looks at everything within five seconds: pass, warn, fail or skip, each with a remedy'
complete -c wardline -n "__fish_wardline_needs_command" -f -a "tap" -d 'Shows what devices say, live and before it is sealed; values only with --phi'
complete -c wardline -n "__fish_wardline_needs_command" -f -a "device" -d 'Lists the devices that speak at this gateway'
complete -c wardline -n "__fish_wardline_needs_command" -f -a "patient" -d 'Says whom a device measures, from now on; identifiers are replaced before they are kept'
complete -c wardline -n "__fish_wardline_needs_command" -f -a "audit" -d 'Shows what happened to this gateway, by its own signed trail, and checks that'
complete -c wardline -n "__fish_wardline_needs_command" -f -a "test-send" -d 'Sends one marked reading through the whole line and says how long each hop took'
complete -c wardline -n "__fish_wardline_needs_command" -f -a "diag" -d 'Packs what helps to find a fault: no secret, no reading; lists it first'
complete -c wardline -n "__fish_wardline_needs_command" -f -a "log" -d 'Looks into a buffer folder; needs public keys only'
complete -c wardline -n "__fish_wardline_needs_command" -f -a "verify-evidence" -d 'Checks a bundle of evidence, offline, with public keys alone'
complete -c wardline -n "__fish_wardline_needs_command" -f -a "erase" -d 'Makes everything that is buffered here unreadable for good, and leaves a signed proof'
complete -c wardline -n "__fish_wardline_needs_command" -f -a "completions" -d 'Prints completions for a shell'
complete -c wardline -n "__fish_wardline_needs_command" -f -a "man" -d 'Writes the manual, one page a command'
complete -c wardline -n "__fish_wardline_needs_command" -f -a "schema" -d 'Prints the JSON Schema of the configuration, for editors'
complete -c wardline -n "__fish_wardline_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline -n "__fish_wardline_using_subcommand init" -l gateway -d 'The gateway\'s name' -r
complete -c wardline -n "__fish_wardline_using_subcommand init" -l broker -d 'Name or address of the broker' -r
complete -c wardline -n "__fish_wardline_using_subcommand init" -l output -d 'Where to write it' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand init" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand provision" -l config -d 'Configuration file' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand provision" -l grant -d 'What `wardline-sink enroll` answered' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand provision" -l request -d 'Where to write the request' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand provision" -l sink -d 'The sink\'s enrolment endpoint; asked with the token of --token' -r
complete -c wardline -n "__fish_wardline_using_subcommand provision" -l token -d 'What `wardline-sink enroll --token` has printed' -r
complete -c wardline -n "__fish_wardline_using_subcommand provision" -l from -d 'A file of `wardline-sink enroll --batch`: gateway, broker, endpoint and token. Writes the configuration, too, if there is none' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand provision" -l renew -d 'Asks the endpoint for a new certificate now, by the key that is enrolled'
complete -c wardline -n "__fish_wardline_using_subcommand provision" -l rotate -d 'Lets another signing key follow: the present one names it in the request. It speaks from the next start on; what the old one signed stays valid'
complete -c wardline -n "__fish_wardline_using_subcommand provision" -l new-roots -d 'The grant may bring other roots than those that this gateway believes: the site was made anew'
complete -c wardline -n "__fish_wardline_using_subcommand provision" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand check" -l config -d 'Configuration file' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand check" -l no-env -d 'Looks at files only: neither at the broker nor at the clock'
complete -c wardline -n "__fish_wardline_using_subcommand check" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline -n "__fish_wardline_using_subcommand check" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand run" -l config -d 'Configuration file' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand run" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand status" -l config -d 'Configuration file' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand status" -s w -l watch -d 'Shows it again each second, until it is interrupted'
complete -c wardline -n "__fish_wardline_using_subcommand status" -l json -d 'One line of JSON with "schema": 1; with --watch, one each second'
complete -c wardline -n "__fish_wardline_using_subcommand status" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand doctor" -l config -d 'Configuration file' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand doctor" -l check -d 'One check only, by its name or code' -r
complete -c wardline -n "__fish_wardline_using_subcommand doctor" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline -n "__fish_wardline_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand tap" -l config -d 'Configuration file' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand tap" -l phi -d 'With the values. They are a patient\'s: the look is logged and reported to the sink, which writes it into its audit trail'
complete -c wardline -n "__fish_wardline_using_subcommand tap" -l json -d 'One line of JSON for each, with "schema": 1'
complete -c wardline -n "__fish_wardline_using_subcommand tap" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand device; and not __fish_seen_subcommand_from ls add remove help" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand device; and not __fish_seen_subcommand_from ls add remove help" -f -a "ls" -d 'Lists devices: those that have spoken since the agent was started, and those that have a key'
complete -c wardline -n "__fish_wardline_using_subcommand device; and not __fish_seen_subcommand_from ls add remove help" -f -a "add" -d 'Gives a device a key, so that it must prove itself; makes one and prints it, or takes one'
complete -c wardline -n "__fish_wardline_using_subcommand device; and not __fish_seen_subcommand_from ls add remove help" -f -a "remove" -d 'Forgets a device\'s key'
complete -c wardline -n "__fish_wardline_using_subcommand device; and not __fish_seen_subcommand_from ls add remove help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline -n "__fish_wardline_using_subcommand device; and __fish_seen_subcommand_from ls" -l config -d 'Configuration file' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand device; and __fish_seen_subcommand_from ls" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline -n "__fish_wardline_using_subcommand device; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand device; and __fish_seen_subcommand_from add" -l config -d 'Configuration file' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand device; and __fish_seen_subcommand_from add" -l key-file -d 'The key that it has: 64 hexadecimal digits in a file. Without this a new one is printed, once, to be written into the device' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand device; and __fish_seen_subcommand_from add" -l replace -d 'Takes the place of a key that is there'
complete -c wardline -n "__fish_wardline_using_subcommand device; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand device; and __fish_seen_subcommand_from remove" -l config -d 'Configuration file' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand device; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand device; and __fish_seen_subcommand_from help" -f -a "ls" -d 'Lists devices: those that have spoken since the agent was started, and those that have a key'
complete -c wardline -n "__fish_wardline_using_subcommand device; and __fish_seen_subcommand_from help" -f -a "add" -d 'Gives a device a key, so that it must prove itself; makes one and prints it, or takes one'
complete -c wardline -n "__fish_wardline_using_subcommand device; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Forgets a device\'s key'
complete -c wardline -n "__fish_wardline_using_subcommand device; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline -n "__fish_wardline_using_subcommand patient; and not __fish_seen_subcommand_from begin end ls help" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand patient; and not __fish_seen_subcommand_from begin end ls help" -f -a "begin" -d 'A device measures this patient from now on; the identifier is read from standard input'
complete -c wardline -n "__fish_wardline_using_subcommand patient; and not __fish_seen_subcommand_from begin end ls help" -f -a "end" -d 'A device measures nobody from now on'
complete -c wardline -n "__fish_wardline_using_subcommand patient; and not __fish_seen_subcommand_from begin end ls help" -f -a "ls" -d 'Lists devices with a patient, and who said so; never whom'
complete -c wardline -n "__fish_wardline_using_subcommand patient; and not __fish_seen_subcommand_from begin end ls help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline -n "__fish_wardline_using_subcommand patient; and __fish_seen_subcommand_from begin" -l config -d 'Configuration file' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand patient; and __fish_seen_subcommand_from begin" -l by -d 'Who says so' -r
complete -c wardline -n "__fish_wardline_using_subcommand patient; and __fish_seen_subcommand_from begin" -l authority -d 'Who gives the identifier, as in PID-3.4' -r
complete -c wardline -n "__fish_wardline_using_subcommand patient; and __fish_seen_subcommand_from begin" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand patient; and __fish_seen_subcommand_from end" -l config -d 'Configuration file' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand patient; and __fish_seen_subcommand_from end" -l by -d 'Who says so' -r
complete -c wardline -n "__fish_wardline_using_subcommand patient; and __fish_seen_subcommand_from end" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand patient; and __fish_seen_subcommand_from ls" -l config -d 'Configuration file' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand patient; and __fish_seen_subcommand_from ls" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline -n "__fish_wardline_using_subcommand patient; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand patient; and __fish_seen_subcommand_from help" -f -a "begin" -d 'A device measures this patient from now on; the identifier is read from standard input'
complete -c wardline -n "__fish_wardline_using_subcommand patient; and __fish_seen_subcommand_from help" -f -a "end" -d 'A device measures nobody from now on'
complete -c wardline -n "__fish_wardline_using_subcommand patient; and __fish_seen_subcommand_from help" -f -a "ls" -d 'Lists devices with a patient, and who said so; never whom'
complete -c wardline -n "__fish_wardline_using_subcommand patient; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline -n "__fish_wardline_using_subcommand audit" -l config -d 'Configuration file' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand audit" -l last -d 'Entries to show: the newest' -r
complete -c wardline -n "__fish_wardline_using_subcommand audit" -l verify -d 'Checks signatures and hashes of all that is kept, and says the head: who keeps that elsewhere sees a cut end, too. Exit code 1 if anything does not hold'
complete -c wardline -n "__fish_wardline_using_subcommand audit" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline -n "__fish_wardline_using_subcommand audit" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand test-send" -l config -d 'Configuration file' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand test-send" -l wait -d 'Longest wait for each hop, seconds' -r
complete -c wardline -n "__fish_wardline_using_subcommand test-send" -l json -d 'A line of JSON with "schema": 1 for each hop'
complete -c wardline -n "__fish_wardline_using_subcommand test-send" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand diag" -l config -d 'Configuration file' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand diag" -l output -d 'Where it is written' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand diag" -l list -d 'Only lists what would go into it'
complete -c wardline -n "__fish_wardline_using_subcommand diag" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline -n "__fish_wardline_using_subcommand diag" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand log; and not __fish_seen_subcommand_from ls verify export help" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand log; and not __fish_seen_subcommand_from ls verify export help" -f -a "ls" -d 'Lists the segments of a folder, one a line'
complete -c wardline -n "__fish_wardline_using_subcommand log; and not __fish_seen_subcommand_from ls verify export help" -f -a "verify" -d 'Checks checksums, chain and signatures; exit code 1 and the first bad frame if any fails'
complete -c wardline -n "__fish_wardline_using_subcommand log; and not __fish_seen_subcommand_from ls verify export help" -f -a "export" -d 'Writes the sealed records as lines of JSON'
complete -c wardline -n "__fish_wardline_using_subcommand log; and not __fish_seen_subcommand_from ls verify export help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline -n "__fish_wardline_using_subcommand log; and __fish_seen_subcommand_from ls" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline -n "__fish_wardline_using_subcommand log; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand log; and __fish_seen_subcommand_from verify" -l key -d 'The gateway\'s public key, 64 hexadecimal digits; without it signatures are not checked' -r
complete -c wardline -n "__fish_wardline_using_subcommand log; and __fish_seen_subcommand_from verify" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline -n "__fish_wardline_using_subcommand log; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand log; and __fish_seen_subcommand_from export" -l config -d 'Configuration file' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand log; and __fish_seen_subcommand_from export" -l output -d 'Where they are written; the standard output without it' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand log; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand log; and __fish_seen_subcommand_from help" -f -a "ls" -d 'Lists the segments of a folder, one a line'
complete -c wardline -n "__fish_wardline_using_subcommand log; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Checks checksums, chain and signatures; exit code 1 and the first bad frame if any fails'
complete -c wardline -n "__fish_wardline_using_subcommand log; and __fish_seen_subcommand_from help" -f -a "export" -d 'Writes the sealed records as lines of JSON'
complete -c wardline -n "__fish_wardline_using_subcommand log; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline -n "__fish_wardline_using_subcommand verify-evidence" -l root -d 'A root key of the site, 64 hexadecimal digits, once for each: those that the bundle names are only believed if they are these. Without it, compare the words that are printed' -r
complete -c wardline -n "__fish_wardline_using_subcommand verify-evidence" -l json -d 'One line of JSON with "schema": 1'
complete -c wardline -n "__fish_wardline_using_subcommand verify-evidence" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand erase" -l config -d 'Configuration file' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand erase" -l reason -d 'Why: it stands in the proof' -r
complete -c wardline -n "__fish_wardline_using_subcommand erase" -l proof -d 'Where to write the proof' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand erase" -l yes -d 'Erases without asking back'
complete -c wardline -n "__fish_wardline_using_subcommand erase" -l even-undeclared -d 'Erases although the sink cannot be told what is gone: the proof alone says it then'
complete -c wardline -n "__fish_wardline_using_subcommand erase" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand completions" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand man" -l out -d 'Folder to write into' -r -F
complete -c wardline -n "__fish_wardline_using_subcommand man" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand schema" -s h -l help -d 'Print help'
complete -c wardline -n "__fish_wardline_using_subcommand help; and not __fish_seen_subcommand_from init provision check run status doctor tap device patient audit test-send diag log verify-evidence erase completions man schema help" -f -a "init" -d 'Writes a commented configuration'
complete -c wardline -n "__fish_wardline_using_subcommand help; and not __fish_seen_subcommand_from init provision check run status doctor tap device patient audit test-send diag log verify-evidence erase completions man schema help" -f -a "provision" -d 'Makes the gateway\'s keys and a request; with --grant installs what the sink answered'
complete -c wardline -n "__fish_wardline_using_subcommand help; and not __fish_seen_subcommand_from init provision check run status doctor tap device patient audit test-send diag log verify-evidence erase completions man schema help" -f -a "check" -d 'Checks configuration, keys, dates, storage, ports and broker; exit code 78 when it fails'
complete -c wardline -n "__fish_wardline_using_subcommand help; and not __fish_seen_subcommand_from init provision check run status doctor tap device patient audit test-send diag log verify-evidence erase completions man schema help" -f -a "run" -d 'Collects, seals, keeps and sends until it is stopped'
complete -c wardline -n "__fish_wardline_using_subcommand help; and not __fish_seen_subcommand_from init provision check run status doctor tap device patient audit test-send diag log verify-evidence erase completions man schema help" -f -a "status" -d 'Shows the state of the running agent'
complete -c wardline -n "__fish_wardline_using_subcommand help; and not __fish_seen_subcommand_from init provision check run status doctor tap device patient audit test-send diag log verify-evidence erase completions man schema help" -f -a "doctor" -d 'Looks at everything within five seconds: pass, warn, fail or skip, each with a remedy'
complete -c wardline -n "__fish_wardline_using_subcommand help; and not __fish_seen_subcommand_from init provision check run status doctor tap device patient audit test-send diag log verify-evidence erase completions man schema help" -f -a "tap" -d 'Shows what devices say, live and before it is sealed; values only with --phi'
complete -c wardline -n "__fish_wardline_using_subcommand help; and not __fish_seen_subcommand_from init provision check run status doctor tap device patient audit test-send diag log verify-evidence erase completions man schema help" -f -a "device" -d 'Lists the devices that speak at this gateway'
complete -c wardline -n "__fish_wardline_using_subcommand help; and not __fish_seen_subcommand_from init provision check run status doctor tap device patient audit test-send diag log verify-evidence erase completions man schema help" -f -a "patient" -d 'Says whom a device measures, from now on; identifiers are replaced before they are kept'
complete -c wardline -n "__fish_wardline_using_subcommand help; and not __fish_seen_subcommand_from init provision check run status doctor tap device patient audit test-send diag log verify-evidence erase completions man schema help" -f -a "audit" -d 'Shows what happened to this gateway, by its own signed trail, and checks that'
complete -c wardline -n "__fish_wardline_using_subcommand help; and not __fish_seen_subcommand_from init provision check run status doctor tap device patient audit test-send diag log verify-evidence erase completions man schema help" -f -a "test-send" -d 'Sends one marked reading through the whole line and says how long each hop took'
complete -c wardline -n "__fish_wardline_using_subcommand help; and not __fish_seen_subcommand_from init provision check run status doctor tap device patient audit test-send diag log verify-evidence erase completions man schema help" -f -a "diag" -d 'Packs what helps to find a fault: no secret, no reading; lists it first'
complete -c wardline -n "__fish_wardline_using_subcommand help; and not __fish_seen_subcommand_from init provision check run status doctor tap device patient audit test-send diag log verify-evidence erase completions man schema help" -f -a "log" -d 'Looks into a buffer folder; needs public keys only'
complete -c wardline -n "__fish_wardline_using_subcommand help; and not __fish_seen_subcommand_from init provision check run status doctor tap device patient audit test-send diag log verify-evidence erase completions man schema help" -f -a "verify-evidence" -d 'Checks a bundle of evidence, offline, with public keys alone'
complete -c wardline -n "__fish_wardline_using_subcommand help; and not __fish_seen_subcommand_from init provision check run status doctor tap device patient audit test-send diag log verify-evidence erase completions man schema help" -f -a "erase" -d 'Makes everything that is buffered here unreadable for good, and leaves a signed proof'
complete -c wardline -n "__fish_wardline_using_subcommand help; and not __fish_seen_subcommand_from init provision check run status doctor tap device patient audit test-send diag log verify-evidence erase completions man schema help" -f -a "completions" -d 'Prints completions for a shell'
complete -c wardline -n "__fish_wardline_using_subcommand help; and not __fish_seen_subcommand_from init provision check run status doctor tap device patient audit test-send diag log verify-evidence erase completions man schema help" -f -a "man" -d 'Writes the manual, one page a command'
complete -c wardline -n "__fish_wardline_using_subcommand help; and not __fish_seen_subcommand_from init provision check run status doctor tap device patient audit test-send diag log verify-evidence erase completions man schema help" -f -a "schema" -d 'Prints the JSON Schema of the configuration, for editors'
complete -c wardline -n "__fish_wardline_using_subcommand help; and not __fish_seen_subcommand_from init provision check run status doctor tap device patient audit test-send diag log verify-evidence erase completions man schema help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wardline -n "__fish_wardline_using_subcommand help; and __fish_seen_subcommand_from device" -f -a "ls" -d 'Lists devices: those that have spoken since the agent was started, and those that have a key'
complete -c wardline -n "__fish_wardline_using_subcommand help; and __fish_seen_subcommand_from device" -f -a "add" -d 'Gives a device a key, so that it must prove itself; makes one and prints it, or takes one'
complete -c wardline -n "__fish_wardline_using_subcommand help; and __fish_seen_subcommand_from device" -f -a "remove" -d 'Forgets a device\'s key'
complete -c wardline -n "__fish_wardline_using_subcommand help; and __fish_seen_subcommand_from patient" -f -a "begin" -d 'A device measures this patient from now on; the identifier is read from standard input'
complete -c wardline -n "__fish_wardline_using_subcommand help; and __fish_seen_subcommand_from patient" -f -a "end" -d 'A device measures nobody from now on'
complete -c wardline -n "__fish_wardline_using_subcommand help; and __fish_seen_subcommand_from patient" -f -a "ls" -d 'Lists devices with a patient, and who said so; never whom'
complete -c wardline -n "__fish_wardline_using_subcommand help; and __fish_seen_subcommand_from log" -f -a "ls" -d 'Lists the segments of a folder, one a line'
complete -c wardline -n "__fish_wardline_using_subcommand help; and __fish_seen_subcommand_from log" -f -a "verify" -d 'Checks checksums, chain and signatures; exit code 1 and the first bad frame if any fails'
complete -c wardline -n "__fish_wardline_using_subcommand help; and __fish_seen_subcommand_from log" -f -a "export" -d 'Writes the sealed records as lines of JSON'
