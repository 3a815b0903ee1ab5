"""The campaign file that `widomill campaign new` writes: commented, and valid as it stands."""

EXAMPLE = """\
# A campaign: every host with every guest at every temperature.
#   widomill campaign plan {file}      what it will do and cost
#   widomill campaign run {file}       do it, or what is missing of it
#   widomill campaign status {folder}  how far it is
name: {name}
# out: campaigns/{name}        # its folder; relative to this file
seed: 0

hosts:
  - CALF-20                      # bundled; `widomill list hosts` names them
  - Mg-MOF-74
  # - structures/*.cif           # files, folders and globs, relative to this file
  # - {{list: hosts.csv, path_column: path, id_column: id}}   # or a .parquet
  # - core-mof:2019-asr:100      # a collection; `widomill hosts collections` names them
guests: [CO2, N2]                # bundled, or RASPA3 molecule files
temperatures_k: [298.15]         # one table of insertions serves all

# The classical level. Every host gets it, and it is the baseline of the references.
classical:
  force_field: UFF
  charges: cif                   # cif | eqeq | eeq | none | a file
  target_error: 0.02             # relative standard error to stop at
  insertions: 1000000            # at most
  # cutoff_angstrom: 12.0
  # block_pockets: true

# Reference levels, for the hosts that are worth their price.
references:
  - level: mace-dac              # mace:PATH | xtb | ase:MODULE:CALLABLE | forcefield:NAME
    hosts: [CALF-20]             # ids, with * and ?; or all
    guests: [CO2]
    target_error: 0.05
    max_labels: 300              # reference calls of one host and guest
    # model: my-model            # start from a model of other hosts (`widomill models list`)

# Or let a budget go where it can change a ranking (`widomill screen {file}`):
# screen:
#   top_k: 10
#   budget_labels: 2000

# limits:
#   unit_hours: 48               # wall time of one host, guest and level
#   label_seconds: 3600          # wall time of one reference call

# Where it runs; the default is two processes on this machine. Or the path of a cluster file.
workers: 2
# cluster:
#   kind: slurm                  # local | threads | scheduler | slurm | pbs | lsf
#   queue: main
#   cores: 1
#   memory: 4GB
#   walltime: "04:00:00"
#   adapt: {{minimum: 0, maximum: 64}}
"""


def example(name: str, file: str) -> str:
    """Return the text of a new campaign file.

    Args:
        name: of the campaign.
        file: path it is written to, for the commands in it.
    """
    return EXAMPLE.format(name=name, file=file, folder=f"campaigns/{name}")
