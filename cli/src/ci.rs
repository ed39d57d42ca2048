//! The CI job that a run belongs to, as the usual systems tell it in the environment.

use crate::io::Environment;

/// Variables that hold a job's whole address: GitLab, Buildkite, CircleCI, Travis, Drone, CodeBuild, Jenkins and TeamCity.
const ADDRESSES: &[&str] = &[
    "CI_JOB_URL",
    "BUILDKITE_BUILD_URL",
    "CIRCLE_BUILD_URL",
    "TRAVIS_JOB_WEB_URL",
    "DRONE_BUILD_LINK",
    "CODEBUILD_BUILD_URL",
    "BUILD_URL",
];

/// The address of the job, if this is one.
pub fn job(environment: &Environment) -> Option<String> {
    let get = |name| environment.get(name);
    let trimmed = |name| Some(get(name)?.trim_end_matches('/'));
    if let Some(address) = ADDRESSES.iter().find_map(|name| get(name)) {
        return Some(match (get("BUILDKITE_BUILD_URL"), get("BUILDKITE_JOB_ID")) {
            (Some(build), Some(job)) if build == address => format!("{build}#{job}"),
            _ => address.to_owned(),
        });
    }
    let github = || {
        let (server, repository, run) =
            (trimmed("GITHUB_SERVER_URL")?, get("GITHUB_REPOSITORY")?, get("GITHUB_RUN_ID")?);
        let attempt = get("GITHUB_RUN_ATTEMPT").map(|attempt| format!("/attempts/{attempt}"));
        Some(format!("{server}/{repository}/actions/runs/{run}{}", attempt.unwrap_or_default()))
    };
    let azure = || {
        let (server, project) = (trimmed("SYSTEM_COLLECTIONURI")?, get("SYSTEM_TEAMPROJECT")?.replace(' ', "%20"));
        let job = get("SYSTEM_JOBID").map(|job| format!("&view=logs&j={job}"));
        Some(format!("{server}/{project}/_build/results?buildId={}{}", get("BUILD_BUILDID")?, job.unwrap_or_default()))
    };
    let bitbucket = || {
        let server = trimmed("BITBUCKET_GIT_HTTP_ORIGIN")?;
        Some(format!("{server}/pipelines/results/{}", get("BITBUCKET_BUILD_NUMBER")?))
    };
    let semaphore = || Some(format!("{}/jobs/{}", trimmed("SEMAPHORE_ORGANIZATION_URL")?, get("SEMAPHORE_JOB_ID")?));
    github().or_else(azure).or_else(bitbucket).or_else(semaphore)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_named_by_their_address() {
        for (variables, address) in [
            (&[("PATH", "/bin")] as &[_], None),
            (&[("CI_JOB_URL", "https://git.example/g/p/-/jobs/1")], Some("https://git.example/g/p/-/jobs/1")),
            (&[("BUILD_URL", "https://ci.example/job/a/7/")], Some("https://ci.example/job/a/7/")),
            (
                &[("BUILDKITE_BUILD_URL", "https://kite.example/o/p/builds/3"), ("BUILDKITE_JOB_ID", "01-a")],
                Some("https://kite.example/o/p/builds/3#01-a"),
            ),
            (
                &[
                    ("GITHUB_SERVER_URL", "https://hub.example"),
                    ("GITHUB_REPOSITORY", "o/r"),
                    ("GITHUB_RUN_ID", "5"),
                    ("GITHUB_RUN_ATTEMPT", "2"),
                ],
                Some("https://hub.example/o/r/actions/runs/5/attempts/2"),
            ),
            (&[("GITHUB_SERVER_URL", "https://hub.example")], None),
            (
                &[
                    ("SYSTEM_COLLECTIONURI", "https://azure.example/org/"),
                    ("SYSTEM_TEAMPROJECT", "a b"),
                    ("BUILD_BUILDID", "9"),
                ],
                Some("https://azure.example/org/a%20b/_build/results?buildId=9"),
            ),
        ] {
            let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            let environment = Environment { variables: variables.iter().map(pair).collect(), ..Environment::default() };
            assert_eq!(job(&environment).as_deref(), address, "{variables:?}");
        }
    }
}
