# SPDX-License-Identifier: GPL-2.0-or-later
# The table for people, of all cells as an array; $contexts are its columns, $faults its rows.

def padded($n): tostring | . + " " * ([$n - length, 0] | max);

def armed:
	if .outcome == "survived-and-recovered" then .ms_to_recovery | tostring
	elif .outcome == "not-survived" then "NO"
	elif .outcome == "not-applicable" then "-"
	else "?" end;

def stock:
	if .outcome == "not-applicable" then ""
	else {panic: "P", killed: "K", hang: "H", continues: "C"}[.stock_outcome // ""] // "?" end;

def row($fault; $names):
	. as $cells | ($fault | padded(22)) + ([$names[] as $context | $cells
		| map(select(.context == $context)) | first // {} | "\(armed) \(stock)" | padded(9)]
		| join("") | sub(" +$"; ""));

def counts:
	map(.outcome // empty) | group_by(.) | map("\(length) \(.[0])") | join(", ");

def reasons:
	map(select(.outcome == "not-survived")) | group_by(.why)[] | "  \(length) not survived: \(.[0].why)"
		+ " (\(map("\(.fault) \(.context)") | .[:4] | join(", "))\(if length > 4 then ", ..." else "" end))";

($contexts / " ") as $names
| "A number is the time from the fault until the driver served again, in ms; NO: not survived;",
  "-: cannot be; ?: not run. Behind it, the kernel as it is: P panics, K kills whoever called,",
  "H hangs, C goes on.",
  (group_by(.kernel)[]
	| (map(select(.fault != "load"))) as $cells
	| "", "Linux \(.[0].kernel): \($cells | counts)", "",
	  ("" | padded(22)) + ($names | map(padded(9)) | join("") | sub(" +$"; "")),
	  (($faults / " ")[] as $fault | $cells | map(select(.fault == $fault)) | select(length > 0)
		| row($fault; $names)),
	  ($cells | reasons),
	  (.[] | select(.fault == "load") | "  a minute of load behind it, cards \(.context): "
		+ if .outcome == "not-survived" then .why else "nothing to complain of" end))
