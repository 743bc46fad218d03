# fish completion of pobpf
# pobpf itself knows its options and the names of this kernel: "pobpf __complete".

function __pobpf_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    set -l answer ($words[1] __complete $words[2..-1] "$typed" 2>/dev/null)
    printf '%s\n' $answer[2..-1]
    set -l before (string match -r -- '^--?[^=]*=' "$typed")
    set -l file (string replace -r -- '^--?[^=]*=' '' "$typed")
    switch "$answer[1]"
        case files
            for path in (__fish_complete_path "$file")
                printf '%s%s\n' "$before" $path
            end
        case directories
            for path in (__fish_complete_directories "$file")
                printf '%s%s\n' "$before" $path
            end
    end
end
complete -c pobpf -f -a '(__pobpf_complete)'
