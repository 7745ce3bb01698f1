package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// tree is the processes and all their descendants.
func tree(roots []int) []int {
	all := append([]int{}, roots...)
	for i := 0; i < len(all); i++ {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[i]))
		for _, file := range files {
			text, _ := os.ReadFile(file)
			for _, word := range strings.Fields(string(text)) {
				if pid, err := strconv.Atoi(word); err == nil {
					all = append(all, pid)
				}
			}
		}
	}
	return all
}

// ticks is how many of the kernel's clock ticks make a second on every Linux that runs Node.
const ticks = 100

// cpuSeconds is the user and system time that the processes have used so far.
func cpuSeconds(pids []int) float64 {
	total := 0.0
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(fields) > 12 {
			total += (number(fields[11]) + number(fields[12])) / ticks
		}
	}
	return total
}

// busySeconds is how long the machine's cores have been busy so far, all together.
func busySeconds() float64 {
	text, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(text), "\n")
	total := 0.0
	for i, word := range strings.Fields(line) {
		// cpu user nice system idle iowait irq softirq steal guest guest_nice; guests are in user and nice already
		if i >= 1 && i <= 7 && i != 4 && i != 5 {
			total += number(word)
		}
	}
	return total / ticks
}

// memoryMb is the proportional and the resident memory of the processes.
func memoryMb(pids []int) (pss, rss float64) {
	for _, pid := range pids {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		for _, line := range strings.Split(string(text), "\n") {
			fields := strings.Fields(line)
			switch {
			case len(fields) < 2:
			case fields[0] == "Pss:":
				pss += number(fields[1]) / 1024
			case fields[0] == "Rss:":
				rss += number(fields[1]) / 1024
			}
		}
	}
	return pss, rss
}

func number(word string) float64 {
	n, _ := strconv.ParseFloat(word, 64)
	return n
}
