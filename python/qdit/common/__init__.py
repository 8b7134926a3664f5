"""What all stages share, and nothing of any one of them.

types, checks          names of types; checks of single options
options                base of every stage's options: declared, checked and documented once
identity               what decides a result, hashed and compared with an earlier run, in words
job                    base of every stage's run: earlier result, check, lock, work, manifest last
files, shape           files and folders that are whole or not there; their errors; hashes; JSON manifests
npy, partial           arrays in files: mapped, and written block by block so that a kill costs one
appended, journal      a file that is only added to; values by key in one, so that nothing is paid for twice
lock                   one run at a time on a file or a directory
progress, bar, text    what callbacks are told; a bar on stderr; bytes, seconds and tables as text
optional, versions     packages that may be missing; versions that a result is recorded with
failures               what torch, transformers and the Hub raise, as errors that say what to do
"""
