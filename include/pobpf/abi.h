/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the BPF programs and user space share: all of it, but for pins (pin_abi.h).
 *
 * The live layout may change in any commit, as object and loader ship
 * together. Never write these structs to disk.
 */
#ifndef POBPF_ABI_H
#define POBPF_ABI_H

#include "pobpf/blockers.h"
#include "pobpf/facts.h"
#include "pobpf/names.h"
#include "pobpf/page_dump.h"
#include "pobpf/parameters.h"
#include "pobpf/stream.h"
#include "pobpf/sums.h"

#endif /* POBPF_ABI_H */
