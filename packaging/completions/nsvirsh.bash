# bash completion of nsvirsh, made from its table of commands
# shellcheck shell=bash disable=SC2207

_nsvirsh_domains() {
    local IFS=$'\n'
    "${COMP_WORDS[0]}" -q "${_nsvirsh_bus[@]}" list --all --name 2>/dev/null
}

_nsvirsh() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    local command='' i _nsvirsh_bus=()
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -c|--connect) _nsvirsh_bus=(-c "${COMP_WORDS[i+1]}"); ((i++)) ;;
        -d|-e|-k|-K|-l|--debug|--escape|--log) ((i++)) ;;
        -*) ;;
        *) command=${COMP_WORDS[i]}; break ;;
        esac
    done
    case $command:$prev in
    attach-device:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    attach-device:--file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    attach-disk:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    attach-disk:--source) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    attach-interface:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    attach-interface:--type) COMPREPLY=($(compgen -W "bridge direct network hostdev vhostuser" -- "$cur")); return ;;
    autostart:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    console:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    create:--file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    define:--file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    desc:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    destroy:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    detach-device:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    detach-device:--file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    detach-device-alias:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    detach-disk:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    detach-interface:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    detach-interface:--type) COMPREPLY=($(compgen -W "bridge direct ethernet network" -- "$cur")); return ;;
    domid:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    domname:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    domuuid:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    domxml-from-native:--format) COMPREPLY=($(compgen -W "lxc-tools" -- "$cur")); return ;;
    domxml-from-native:--config) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    domxml-to-native:--format) COMPREPLY=($(compgen -W "lxc-tools" -- "$cur")); return ;;
    domxml-to-native:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    domxml-to-native:--xml) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    dumpxml:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    edit:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    exec:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    lxc-enter-namespace:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    metadata:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    reboot:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    reboot:--mode) COMPREPLY=($(compgen -W "acpi agent initctl signal paravirt" -- "$cur")); return ;;
    resume:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    shutdown:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    shutdown:--mode) COMPREPLY=($(compgen -W "acpi agent initctl signal paravirt" -- "$cur")); return ;;
    start:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    suspend:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    ttyconsole:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    undefine:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    update-device:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    update-device:--file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    dominfo:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    domstate:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    event:--domain) COMPREPLY=($(compgen -W "$(_nsvirsh_domains)" -- "$cur")); return ;;
    event:--event) COMPREPLY=($(compgen -W "lifecycle reboot rtc-change watchdog io-error graphics io-error-reason control-error block-job disk-change tray-change pm-wakeup pm-suspend balloon-change pm-suspend-disk device-removed block-job-2 tunable agent-lifecycle device-added migration-iteration job-completed device-removal-failed metadata-change block-threshold memory-failure memory-device-size-change" -- "$cur")); return ;;
    domcapabilities:--virttype) COMPREPLY=($(compgen -W "lxc" -- "$cur")); return ;;
    domcapabilities:--emulatorbin) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    cd:--dir) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    help:--command) COMPREPLY=($(compgen -W "attach-device attach-disk attach-interface autostart console create define desc destroy detach-device detach-device-alias detach-disk detach-interface domid domname domuuid domxml-from-native domxml-to-native dumpxml edit exec lxc-enter-namespace metadata reboot resume shutdown start suspend ttyconsole undefine update-device dominfo domstate list event capabilities domcapabilities hostname nodeinfo uri version cd connect echo exit help pwd quit" -- "$cur")); return ;;
    esac
    case $command in
    '') COMPREPLY=($(compgen -W "attach-device attach-disk attach-interface autostart console create define desc destroy detach-device detach-device-alias detach-disk detach-interface domid domname domuuid domxml-from-native domxml-to-native dumpxml edit exec lxc-enter-namespace metadata reboot resume shutdown start suspend ttyconsole undefine update-device dominfo domstate list event capabilities domcapabilities hostname nodeinfo uri version cd connect echo exit help pwd quit --connect --debug --escape --help --log --quiet --readonly --timing --version" -- "$cur")) ;;
    attach-device) COMPREPLY=($(compgen -W "--domain --file --persistent --config --live --current --help $(_nsvirsh_domains)" -- "$cur")) ;;
    attach-disk) COMPREPLY=($(compgen -W "--domain --source --target --targetbus --driver --subdriver --iothread --cache --io --type --mode --sourcetype --serial --wwn --alias --rawio --address --multifunction --print-xml --source-protocol --source-host-name --source-host-transport --source-host-socket --persistent --config --live --current --help $(_nsvirsh_domains)" -- "$cur")) ;;
    attach-interface) COMPREPLY=($(compgen -W "--domain --type --source --target --mac --script --model --alias --inbound --outbound --persistent --config --live --current --print-xml --managed --source-mode --help $(_nsvirsh_domains)" -- "$cur")) ;;
    autostart) COMPREPLY=($(compgen -W "--domain --disable --help $(_nsvirsh_domains)" -- "$cur")) ;;
    console) COMPREPLY=($(compgen -W "--domain --devname --force --safe --help $(_nsvirsh_domains)" -- "$cur")) ;;
    create) COMPREPLY=($(compgen -f -W "--file --console --paused --autodestroy --validate --help" -- "$cur")) ;;
    define) COMPREPLY=($(compgen -f -W "--file --validate --help" -- "$cur")) ;;
    desc) COMPREPLY=($(compgen -W "--domain --live --config --current --title --edit --new-desc --help $(_nsvirsh_domains)" -- "$cur")) ;;
    destroy) COMPREPLY=($(compgen -W "--domain --graceful --help $(_nsvirsh_domains)" -- "$cur")) ;;
    detach-device) COMPREPLY=($(compgen -W "--domain --file --persistent --config --live --current --help $(_nsvirsh_domains)" -- "$cur")) ;;
    detach-device-alias) COMPREPLY=($(compgen -W "--domain --alias --config --live --current --help $(_nsvirsh_domains)" -- "$cur")) ;;
    detach-disk) COMPREPLY=($(compgen -W "--domain --target --persistent --config --live --current --print-xml --help $(_nsvirsh_domains)" -- "$cur")) ;;
    detach-interface) COMPREPLY=($(compgen -W "--domain --type --mac --persistent --config --live --current --print-xml --help $(_nsvirsh_domains)" -- "$cur")) ;;
    domid) COMPREPLY=($(compgen -W "--domain --help $(_nsvirsh_domains)" -- "$cur")) ;;
    domname) COMPREPLY=($(compgen -W "--domain --help $(_nsvirsh_domains)" -- "$cur")) ;;
    domuuid) COMPREPLY=($(compgen -W "--domain --help $(_nsvirsh_domains)" -- "$cur")) ;;
    domxml-from-native) COMPREPLY=($(compgen -W "--format --config --help lxc-tools" -- "$cur")) ;;
    domxml-to-native) COMPREPLY=($(compgen -W "--format --domain --xml --help lxc-tools" -- "$cur")) ;;
    dumpxml) COMPREPLY=($(compgen -W "--domain --inactive --security-info --update-cpu --migratable --xpath --wrap --help $(_nsvirsh_domains)" -- "$cur")) ;;
    edit) COMPREPLY=($(compgen -W "--domain --skip-validate --help $(_nsvirsh_domains)" -- "$cur")) ;;
    exec) COMPREPLY=($(compgen -W "--domain --user --env --dir --tty --no-tty --command --help $(_nsvirsh_domains)" -- "$cur")) ;;
    lxc-enter-namespace) COMPREPLY=($(compgen -W "--domain --noseclabel --cmd --help $(_nsvirsh_domains)" -- "$cur")) ;;
    metadata) COMPREPLY=($(compgen -W "--domain --uri --live --config --current --edit --key --set --remove --help $(_nsvirsh_domains)" -- "$cur")) ;;
    reboot) COMPREPLY=($(compgen -W "--domain --mode --help $(_nsvirsh_domains)" -- "$cur")) ;;
    resume) COMPREPLY=($(compgen -W "--domain --help $(_nsvirsh_domains)" -- "$cur")) ;;
    shutdown) COMPREPLY=($(compgen -W "--domain --mode --help $(_nsvirsh_domains)" -- "$cur")) ;;
    start) COMPREPLY=($(compgen -W "--domain --console --paused --autodestroy --bypass-cache --force-boot --help $(_nsvirsh_domains)" -- "$cur")) ;;
    suspend) COMPREPLY=($(compgen -W "--domain --help $(_nsvirsh_domains)" -- "$cur")) ;;
    ttyconsole) COMPREPLY=($(compgen -W "--domain --help $(_nsvirsh_domains)" -- "$cur")) ;;
    undefine) COMPREPLY=($(compgen -W "--domain --managed-save --snapshots-metadata --checkpoints-metadata --nvram --keep-nvram --tpm --keep-tpm --help $(_nsvirsh_domains)" -- "$cur")) ;;
    update-device) COMPREPLY=($(compgen -W "--domain --file --persistent --config --live --current --force --help $(_nsvirsh_domains)" -- "$cur")) ;;
    dominfo) COMPREPLY=($(compgen -W "--domain --help $(_nsvirsh_domains)" -- "$cur")) ;;
    domstate) COMPREPLY=($(compgen -W "--domain --reason --help $(_nsvirsh_domains)" -- "$cur")) ;;
    list) COMPREPLY=($(compgen -W "--inactive --all --transient --persistent --with-snapshot --without-snapshot --with-checkpoint --without-checkpoint --state-running --state-paused --state-shutoff --state-other --autostart --no-autostart --with-managed-save --without-managed-save --uuid --name --id --table --managed-save --title --help" -- "$cur")) ;;
    event) COMPREPLY=($(compgen -W "--domain --event --all --loop --timeout --list --timestamp --help $(_nsvirsh_domains)" -- "$cur")) ;;
    capabilities) COMPREPLY=($(compgen -W "--help" -- "$cur")) ;;
    domcapabilities) COMPREPLY=($(compgen -W "--virttype --emulatorbin --arch --machine --help lxc" -- "$cur")) ;;
    hostname) COMPREPLY=($(compgen -W "--help" -- "$cur")) ;;
    nodeinfo) COMPREPLY=($(compgen -W "--help" -- "$cur")) ;;
    uri) COMPREPLY=($(compgen -W "--help" -- "$cur")) ;;
    version) COMPREPLY=($(compgen -W "--daemon --help" -- "$cur")) ;;
    cd) COMPREPLY=($(compgen -f -W "--dir --help" -- "$cur")) ;;
    connect) COMPREPLY=($(compgen -W "--name --readonly --help" -- "$cur")) ;;
    echo) COMPREPLY=($(compgen -W "--shell --xml --split --err --string --help" -- "$cur")) ;;
    exit) COMPREPLY=($(compgen -W "--help" -- "$cur")) ;;
    help) COMPREPLY=($(compgen -W "--command --help attach-device attach-disk attach-interface autostart console create define desc destroy detach-device detach-device-alias detach-disk detach-interface domid domname domuuid domxml-from-native domxml-to-native dumpxml edit exec lxc-enter-namespace metadata reboot resume shutdown start suspend ttyconsole undefine update-device dominfo domstate list event capabilities domcapabilities hostname nodeinfo uri version cd connect echo exit help pwd quit" -- "$cur")) ;;
    pwd) COMPREPLY=($(compgen -W "--help" -- "$cur")) ;;
    quit) COMPREPLY=($(compgen -W "--help" -- "$cur")) ;;
    esac
}

complete -F _nsvirsh nsvirsh
