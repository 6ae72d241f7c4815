# Completes @PROGRAM@ in fish. Made by `ds01 completion fish`.
function @FUNCTION@
    set -l line (commandline -cp | string collect)
    for row in (env _DS01_COMPLETE_LINE=$line @PROGRAM@ 2>/dev/null)
        set -l part (string split \t -- $row)
        switch $part[1]
            case plain
                printf '%s\t%s\n' $part[2] $part[3]
            case dir
                __fish_complete_directories (commandline -ct)
            case file
                __fish_complete_path (commandline -ct)
            case toml
                __fish_complete_path (commandline -ct) | string match -r '^.*(?:/|\.toml)(?:\t.*)?$'
        end
    end
end
complete --command @PROGRAM@ --no-files --arguments '(@FUNCTION@)'
