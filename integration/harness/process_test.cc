#include "integration/harness/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace tidemark::integration {
namespace {

using testing::Optional;

std::vector<std::string> Fake(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), Runfile("integration/harness/fake_program"));
  return arguments;
}

bool SaysReady(const Process& process) {
  return Eventually(kPatience, [&] { return process.FirstLine() == "ready"; });
}

TEST(ProcessTest, KeepsOutputAndErrorsApart) {
  Process process(Fake({"--say=one", "--complain=two", "--say=three", "--exit=0"}));
  EXPECT_THAT(process.WaitExit(kPatience), Optional(ExitedWith(0)));
  EXPECT_EQ(process.Output(), "one\nthree\n");
  EXPECT_EQ(process.FirstLine(), "one");
  EXPECT_EQ(process.Errors(), "two\n");
}

TEST(ProcessTest, TellsAStatusFromASignal) {
  EXPECT_THAT(Process(Fake({"--exit=64"})).WaitExit(kPatience), Optional(ExitedWith(64)));
  Process killed(Fake({}));
  killed.Signal(SIGTERM);
  EXPECT_THAT(killed.WaitExit(kPatience), Optional(KilledBy(SIGTERM)));
  EXPECT_THAT(killed.WaitExit(kPatience), Optional(KilledBy(SIGTERM))) << "and says so again";
}

TEST(ProcessTest, AProgramThatCannotBeStartedExitsWith127) {
  EXPECT_THAT(Process({"/nowhere/program"}).WaitExit(kPatience), Optional(ExitedWith(127)));
}

TEST(ProcessTest, AWaitEndsAtItsDeadline) {
  Process process(Fake({"--ignore_term", "--say=ready"}));
  ASSERT_TRUE(SaysReady(process));
  process.Signal(SIGTERM);
  EXPECT_EQ(process.WaitExit(Duration(20)), std::nullopt);
}

TEST(ProcessTest, AStoppedProcessGoesOnWhenContinued) {
  Process process(Fake({"--say=ready"}));
  ASSERT_TRUE(SaysReady(process));
  process.Signal(SIGSTOP);
  process.Signal(SIGTERM);
  EXPECT_EQ(process.WaitExit(Duration(20)), std::nullopt) << "a stopped process takes no signal";
  process.Signal(SIGCONT);
  EXPECT_THAT(process.WaitExit(kPatience), Optional(KilledBy(SIGTERM)));
}

TEST(ProcessTest, ItsEndIsTheEndOfTheObject) {
  pid_t pid = 0;
  {
    Process process(Fake({"--ignore_term", "--say=ready"}));
    ASSERT_TRUE(SaysReady(process));
    pid = process.pid();
    EXPECT_GT(process.ResidentBytes(), 0);
  }
  EXPECT_EQ(kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

// A test program that crashes must not leave nodes behind on the machine.
TEST(ProcessTest, DiesWithTheProgramThatStartedIt) {
  int pids[2];
  ASSERT_EQ(pipe(pids), 0);
  const pid_t test_program = fork();
  if (test_program == 0) {
    auto* process = new Process(Fake({"--ignore_term", "--say=ready"}));
    const pid_t started = SaysReady(*process) ? process->pid() : 0;
    if (write(pids[1], &started, sizeof(started)) != sizeof(started)) _exit(1);
    _exit(0);  // As a crash does: without destructors.
  }
  pid_t started = 0;
  ASSERT_EQ(read(pids[0], &started, sizeof(started)), ssize_t{sizeof(started)});
  ASSERT_GT(started, 0);
  EXPECT_EQ(waitpid(test_program, nullptr, 0), test_program);
  EXPECT_TRUE(Eventually(kPatience, [&] {
    // Whoever adopts it may take a while to bury it: a dead process counts as gone.
    Process state({"grep", "-q", "^State:.*[ZX]", "/proc/" + std::to_string(started) + "/status"});
    return kill(started, 0) != 0 || state.WaitExit(kPatience) == ExitedWith(0);
  }));
  close(pids[0]);
  close(pids[1]);
}

}  // namespace
}  // namespace tidemark::integration
