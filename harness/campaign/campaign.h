/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The YAML files as checked C structs: a campaign with its base recipe, patch series, targets and
 * oracle. Nothing here knows how anything runs. Every error says FILE:line:column. All strings are
 * owned by their struct; an absent optional string is NULL, an absent list has count 0.
 * docs/campaign-file.md describes every key. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "campaign/recipe.h"

/* ---- patches/NAME/series.yaml ---- */

typedef enum { PATCH_CANDIDATE, PATCH_FIXTURE } PatchKind;

typedef struct {
	char *commit, *message_id, *note;
} PatchOrigin;

typedef struct {
	char *name, *title;
	char *file; /* key `file` or `mbox`; after loading: absolute path */
	PatchKind kind;
	char **depends, **conflicts; /* names in the same series */
	unsigned depends_count, conflicts_count;
	PatchOrigin origin;
	char *mbox; /* NULL after loading: `file` has it */
} Patch;

typedef struct {
	char *name, *title, *base;
	Patch *patches; /* in the order in which they are applied */
	unsigned patches_count;
	char *path; /* absolute path of the index */
} Series;

/* Checks: names unique, files there, depends and conflicts known, a dependency stands before its
 * dependant (so no cycle), nothing conflicts with what it depends on. After loading `conflicts` is
 * symmetric: if a names b, b names a. */
Series *series_load(const char *path, GError **error);
void series_free(Series *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Series, series_free)
/* NULL when there is none of that name. */
const Patch *series_find(const Series *s, const char *name);

/* ---- configs/targets/NAME.yaml ---- */

typedef enum { TARGET_LIBVIRT, TARGET_SIMULATED } TargetDriver;
typedef enum { ACCEL_AUTO, ACCEL_KVM, ACCEL_TCG } TargetAccel;
typedef enum { LAUNCHER_SAVED, LAUNCHER_FRESH } LauncherStart;
typedef enum { RECORD_NONE, RECORD_AMD } TargetRecord;
typedef enum { TABLES_OVERRIDE, TABLES_FIRMWARE } TargetTables;
typedef enum { DETERMINISM_NONE, DETERMINISM_ICOUNT } TargetDeterminism;

/* Boots of one kernel at different phases of what does DMA with a period, in a machine that counts
 * instructions. */
typedef struct {
	unsigned period_us; /* of the DMA; 0: not asked for */
	unsigned steps;	    /* phases that the period is divided into */
} TargetPhase;

typedef struct {
	char *uri;	   /* NULL: qemu:///embed with a folder of its own */
	char *domain_xml;  /* file with a libvirt domain template; after loading: absolute path;
			      NULL: built in */
	TargetAccel accel; /* auto: KVM if a real boot proves it, else TCG */
	char *cpu;	   /* QEMU's -cpu value in TCG, default max */
	unsigned memory_mib, vcpus; /* default 512 and 2 */
	char **qemu_args;	    /* added to QEMU's command line, one argument per entry */
	unsigned qemu_args_count;
	TargetRecord iommu_record; /* what the emulator says of refused DMA is a fault source */
	unsigned record_lines;	   /* so many lines of it are kept for each boot; default 20000 */
	TargetDeterminism determinism;
	unsigned icount_shift; /* an instruction takes 2^shift ns of the machine's time; default 3
				*/
	TargetPhase phase;
} TargetVm;

/* A machine that does not exist, and what it does (docs/simulated-lab.md). A rate is the
 * probability of each time, 0…1. */
typedef struct {
	double hang, panic;  /* a kernel does so */
	double no_launcher;  /* the launcher hangs, until the next reset */
	double kexec_fails;  /* the launcher refuses the kernel */
	double wrong_kernel; /* the launcher starts again in the place of the kernel */
	double dies;	     /* it loses power in a boot */
} SimulatedRates;

typedef struct {
	double ignores; /* says done, and nothing happens */
	double lies;	/* says on for off and off for on, when asked */
	double silent;	/* does not answer */
	double slow_s;	/* of the machine's time, for an answer */
} SimulatedBmc;

/* Names are those of patches and words of the command line. */
typedef struct {
	char *folder; /* its state, absolute; NULL: <cache>/simulated/NAME */
	uint64_t seed;
	double speed;  /* its clocks and those that watch it go so much faster; default 1 */
	double step_s; /* of its time, for each step of a boot; default 0.2 */
	char **cause;  /* all of them together have the effect */
	unsigned cause_count;
	int effect;		/* CampaignEffect */
	double q, eps;		/* P(fault) of a faulty kernel, default 1, and of a good one */
	char **hangs, **panics; /* each of them makes a kernel hang or panic */
	unsigned hangs_count, panics_count;
	SimulatedRates rates;
	SimulatedBmc bmc;
} TargetSimulated;

typedef struct {
	char *kernel;  /* `base` (default): the campaign's base without patches; else absolute path
			  of an image */
	char *cmdline; /* NULL: only the target's own */
	LauncherStart start;
	unsigned jitter_us; /* the launcher waits a random 0…jitter_us before kexec, so that the
			       phase of DMA varies */
} Launcher;

/* Separate clocks, in seconds; 0 in the file is refused, an absent key takes the default. */
typedef struct {
	unsigned launcher; /* from power on or restore to the launcher's agent answering; default 60
			    */
	unsigned kexec;	   /* from the order to kexec to the variant's first line; default 30 */
	unsigned boot;	   /* from the variant's first line to the alive marker; default 60 */
	unsigned silence;  /* no console byte for so long before alive: hung; default 20 */
	unsigned settle;   /* after alive, how long faults are still collected; default 1 */
	unsigned settled;  /* after settle: its agent proves that it is still there; default 10 */
	unsigned trial;	   /* whole trial; default 180 */
	unsigned trace;	   /* a hung kernel's traces, by SysRq and NMI, all together; default 5 */
	unsigned reset;	   /* a reset is taken; default 10 */
	unsigned power;	   /* from a power order to the machine being on, or off; default 60 */
	unsigned off;	   /* it stays off so long before it is switched on again; default 2 */
	double speed; /* not in the file: these seconds are so much shorter (simulated.speed); 0: 1
		       */
} Timeouts;

typedef enum { RESERVED_UNITY, RESERVED_EXCLUSION } ReservedKind;

/* Memory that the machine's tables declare for a device beside what they do by themselves. */
typedef struct {
	char *device;		/* bb:dd.f */
	uint64_t start, length; /* whole pages */
	ReservedKind kind; /* mapped one to one (IVMD unity map, RMRR), or not translated (IVMD) */
} TargetReserved;

typedef struct {
	char *name, *title;
	TargetDriver driver;
	TargetVm vm;
	TargetSimulated simulated;
	char **acpi_tables; /* iasl sources for the table override of the variant; after loading:
			       absolute paths */
	unsigned acpi_tables_count;
	TargetReserved *reserved;
	unsigned reserved_count;
	TargetTables acpi_tables_by; /* who puts them in the place of the machine's own */
	Launcher launcher;
	char *cmdline; /* kernel parameters that every variant gets on this target (console=…) */
	Timeouts timeouts;
	char *path;
} TargetConfig;

TargetConfig *target_config_load(const char *path, GError **error);
void target_config_free(TargetConfig *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TargetConfig, target_config_free)

/* ---- configs/oracles/NAME.yaml ---- */

typedef struct {
	uint64_t start, end; /* inclusive; in the file a string "0x1ffde000-0x1fffffff" */
} AddressRange;

#define ORACLE_MAX_PARTS 32
#define ORACLE_PART_NAME_MAX 60 /* bytes */

/* A part of the window begins at the first line that matches its marker. */
typedef struct {
	char *name; /* what people call it */
	char *at;   /* PCRE2 */
} OraclePart;

typedef struct {
	char *name, *title;
	char *window_from, *window_to; /* keys window.from, window.to: PCRE2; NULL: from the first
					  line, to the last */
	char **devices;		       /* bb:dd.f or ssss:bb:dd.f that count; none: all */
	unsigned devices_count;
	char **address_texts; /* key `addresses` */
	unsigned address_texts_count;
	OraclePart *parts; /* in no order: each boot has its own */
	unsigned parts_count;
	/* key `blocked`, when and until: PCRE2; the device's DMA is refused from where all of
	 * `when` have been seen to `until`; none: not measured */
	char **blocked_when;
	unsigned blocked_when_count;
	char *blocked_until;
	char *alive; /* PCRE2 that must be seen, else the boot is no evidence; NULL: the agent's
			alive line */
	int hang_is_fault, panic_is_fault; /* the campaign's fault is a hang or panic */
	char *path;
	/* not in the file */
	AddressRange *addresses; /* parsed from address_texts */
	unsigned addresses_count;
} OracleConfig;

OracleConfig *oracle_config_load(const char *path, GError **error);
void oracle_config_free(OracleConfig *o);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OracleConfig, oracle_config_free)

/* ---- configs/campaigns/NAME.yaml ---- */

typedef enum { EFFECT_CURES, EFFECT_CAUSES } CampaignEffect;
/* By which the candidates' effects are ranked. */
typedef enum { MEASURE_FAULTS, MEASURE_WINDOW, MEASURE_BLOCKED } CampaignMeasure;
/* What is booted for the effects alone, after the verdict. */
typedef enum { EFFECTS_OF_TRIALS, EFFECTS_BOOTS } CampaignEffects;
typedef enum { BOOT_KEXEC, BOOT_COLD } BootMode;

/* One change that may matter. */
typedef enum {
	CANDIDATE_PATCH,
	CANDIDATE_PARAMETER, /* on the kernel's command line; needs no build */
	CANDIDATE_INITCALL,  /* runs at another time; made in the compiled kernel */
	CANDIDATE_CONFIG,    /* kconfig options */
	CANDIDATE_COMMIT,    /* of a range: a history */
	CANDIDATE_VERSION,   /* one of several kernels */
	CANDIDATE_KIND_MAX
} CandidateKind;
/* "patch", "parameter", "initcall", "config", "commit", "version" */
const char *candidate_kind_name(CandidateKind kind);

#define CAMPAIGN_MAX_CANDIDATES 64 /* of a campaign without a history */

typedef struct {
	CandidateKind kind;
	char *name;  /* what people call it; no two have the same */
	char *title; /* NULL: none */
	/* patch: its name in the series; parameter: words for the command line; initcall: its move;
	 * config: settings
	 * ("USB_PCI=n"), a blank between two; commit: its full hash; version: its name. */
	char *text;
	double weight;		     /* how likely it is beforehand, > 0; default 1 */
	uint64_t depends, conflicts; /* sets of candidates, number i is bit i: what it needs
					directly, what it cannot be with (symmetric) */
	/* commit number k, which is candidate k - 1: its parents as numbers < k, 0 is the start of
	 * the range */
	guint *parents;
	unsigned parents_count;
} Candidate;

/* What belongs to one candidate (key `relations`). */
typedef struct {
	char *candidate;
	char **depends, **conflicts;
	unsigned depends_count, conflicts_count;
} CampaignRelation;

/* Key `config`: either `options`, or two files of which the differences are the candidates. */
typedef struct {
	char **options; /* "USB_PCI=n"; several settings in one entry go together */
	unsigned options_count;
	char *good, *bad; /* .config files; after loading: absolute paths */
} CampaignConfig;

/* Key `history`: from and to, or series and perhaps a part of it. */
typedef struct {
	char *from, *to;   /* revisions in the repository of the base: `to` and its ancestors
			      without those of `from`; with `series` names of its patches, the
			      last one that is not suspected, and the end of the range */
	int first_parent;  /* only the first parent of a merge is followed */
	char *series_name; /* key series: its patches, one after the other on the base */
	Series *series;	   /* not in the file */
} CampaignHistory;

typedef enum { SURVEY_ALONE, SURVEY_AFTER_VERDICT } SurveyWhen;

/* Key `survey`: a fixed plan of boots in place of a search, or after it. */
typedef struct {
	char **of;   /* names of candidates of which all combinations are booted */
	char **sets; /* further variants, "a + b"; "base": none */
	unsigned of_count, sets_count;
	unsigned boots;	 /* of each variant in each mode; default 3 */
	BootMode *modes; /* default: the campaign's */
	unsigned modes_count;
	SurveyWhen after; /* key `after`: verdict */
	/* not in the file: what it boots, in the order of the table; sets of candidates, closed
	 * under `depends`, or numbers of versions from 1. Known when all candidates are. */
	uint64_t *variants;
	unsigned variants_count;
} CampaignSurvey;

#define CAMPAIGN_MAX_SURVEY 64 /* variants */

/* Key `versions`: a kernel of its own. */
typedef struct {
	char *name, *title;
	char *base_name, *series_name, *target_name; /* keys base, series, target */
	char **fixtures, **fragments;		     /* fragments after loading: absolute paths */
	unsigned fixtures_count, fragments_count;
	char *cmdline; /* after the campaign's */
	/* not in the file */
	Recipe *base;
	Series *series;	      /* NULL: none */
	TargetConfig *target; /* NULL: the campaign's first */
	char *missing;	      /* set by campaign_leave_out(); NULL: it is booted */
} CampaignVersion;

/* Key `search.weights`: how likely a candidate is beforehand, compared with others (1). */
typedef struct {
	char *candidate, *path; /* one of them: a name; a file or folder of the kernel's source
				   that a patch or commit touches (the largest weight counts) */
	double weight;
} CampaignWeight;

typedef struct {
	double confidence; /* posterior at which a cause is claimed, 0.5 < c < 1; default 0.99 */
	uint64_t seed;	   /* default 1 */
	unsigned max_culprits; /* 1…3; default 3 */
	CampaignWeight *weights;
	unsigned weights_count;
} CampaignSearch;

/* The first that is used up ends the search with the posterior as it stands. */
typedef struct {
	unsigned boots;	 /* default 1000 */
	double hours;	 /* default 12 */
	unsigned builds; /* default 200 */
} CampaignBudget;

/* Key `order`: an order of the kernel's initcalls that is good and one that is bad;
 * docs/init-order.md. A move: "FN=LEVEL[:before FN2|:after FN2|:first|:last]". */
typedef enum { SCRAMBLE_NOTHING, SCRAMBLE_LEVELS } CampaignScramble;
typedef struct {
	char *good_from, *bad_from; /* a vmlinux, bzImage or boot log: its order; NULL: good the
				       kernel's own, bad the good one. After loading: absolute */
	char **good, **bad;	    /* moves in these, last */
	unsigned good_count, bad_count;
	CampaignScramble scramble; /* levels: the bad order shuffled within each level, before its
				      moves */
	char **keep;		   /* functions that stay where they are in the shuffle */
	unsigned keep_count;
	uint64_t seed; /* of the shuffle; default 1 */
} CampaignOrder;

typedef struct {
	char *name, *title, *question;
	char *base_name, *series_name, *oracle_name; /* keys base, series, oracle: names or paths;
							series may be absent */
	char **fragments; /* kconfig added to the recipe's; after loading: absolute paths */
	unsigned fragments_count;
	/* Names in the series; the fixtures after loading in its order. `patches` is the key
	 * `candidates`; when the file names no suspects at all, all of kind candidate that are no
	 * fixtures here. Each one's dependencies are among the two lists. */
	char **fixtures, **patches;
	unsigned fixtures_count, patches_count;
	char **parameters;
	unsigned parameters_count;
	char **initcalls; /* moves: "iommu_init=arch" (initcall/order.h) */
	unsigned initcalls_count;
	CampaignConfig *config;	  /* NULL: no such key */
	CampaignHistory *history; /* NULL: no such key; else there is no other kind */
	CampaignOrder *order;	  /* likewise; it has no candidates */
	CampaignRelation *relations;
	unsigned relations_count;
	CampaignSurvey *survey; /* NULL: only a search */
	/* In place of all suspects, with a survey; the campaign's base is the launcher then. */
	CampaignVersion *versions;
	unsigned versions_count;
	CampaignMeasure measure;
	CampaignEffects effects; /* boots: `survey` is filled with what is missing */
	CampaignEffect effect;	 /* key `effect`: cures (default) or causes */
	char **target_names;	 /* key `targets` */
	unsigned target_names_count;
	char *cmdline; /* key boot.cmdline: kernel parameters of every variant, after the target's
			*/
	BootMode mode; /* key boot.mode; default kexec */
	CampaignSearch search;
	CampaignBudget budget;
	/* not in the file */
	char *path;
	Recipe *base;
	Series *series; /* NULL: none */
	/* Patches, parameters, initcalls, config options, in this order; or the commits of the
	 * history, ancestors first; or the versions. Those that only the kernel's source can tell
	 * (see campaign_needs_source) are missing until campaign_expand(). */
	Candidate *candidates;
	unsigned candidates_count;
	char *history_start; /* full hash of the commit before the range; after campaign_expand() */
	TargetConfig **targets; /* target_names_count of them */
	OracleConfig *oracle;
	/* SHA-256 over everything that trials and the question depend on: the meaning of all these
	 * files and the contents of patches, fragments and tables. Titles, notes, comments, budget,
	 * survey, confidence and seed are left out: with those changed, a stopped search goes on
	 * with the trials it has. */
	char *digest;
} Campaign;

/* Loads and checks a campaign and all that it names. `name_or_path`: a path (has a '/' or ends in
 * .yaml), else configs/campaigns/NAME.yaml below kx_data_dir(). Names inside are looked up in
 * kernels/, patches/, configs/targets/ and configs/oracles/ of the tree that holds the campaign
 * file (…/configs/campaigns/x.yaml), then of kx_data_dir(); a value with a
 * '/' or ending in .yaml is a path relative to the campaign file. */
Campaign *campaign_load(const char *name_or_path, GError **error);
void campaign_free(Campaign *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Campaign, campaign_free)

/* Its target of that name; NULL: its first one. NULL and *error when it has no such target. */
const TargetConfig *campaign_target(const Campaign *c, const char *name, GError **error);
/* Whether it takes the kernel's source to know the candidates: a history, or two .config files.
 * (Weights by path take it too, but nothing waits for them.) */
bool campaign_needs_source(const Campaign *c);
/* Adds candidates that were found in the source (taken over, also on failure; `n` of them; depends
 * and conflicts count from the first of them), then checks names and relations and adds them to the
 * digest. Once per campaign, and only when campaign_needs_source(). */
bool campaign_expand(Campaign *c, Candidate *found, unsigned n, GError **error);
/* Adds to the digest what only the source tells of recipe `r`, the campaign's base or a version's:
 * its tree as imported, and the toolchain when its version chose it. Once for each recipe that is
 * not recipe_is_fixed(). */
bool campaign_pin(Campaign *c, const Recipe *r, const char *tree, const Toolchain *t,
		  GError **error);
/* What a candidate's weight is by search.weights, given the paths that it touches (NULL: none). */
double campaign_weight(const Campaign *c, const char *name, const char *const *paths);
/* The settings of a config candidate, one each: {"USB_PCI=n", …, NULL}; NULL and *error when it is
 * none. g_strfreev(). */
char **candidate_settings(const char *text, GError **error);
void candidate_clear(Candidate *k);
/* Which configuration the variants start from, and which they go towards; false: no such pair. */
bool campaign_config_pair(const Campaign *c, const char **ret_from, const char **ret_to);

/* Whether a variant is a number, of a commit or version, and not a set. */
bool campaign_is_numbered(const Campaign *c);
/* Whether a cause is looked for; else there is only a survey. */
bool campaign_searches(const Campaign *c);
/* The version that a variant is; NULL: none. */
const CampaignVersion *campaign_version(const Campaign *c, uint64_t variant);
/* The version number `i` (from 0) cannot be booted here, for this reason. */
void campaign_leave_out(Campaign *c, unsigned i, const char *why);
